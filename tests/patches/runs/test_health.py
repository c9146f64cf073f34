# SPDX-License-Identifier: Apache-2.0
"""Collapse, silence, drift and NaN are seen in a fixed batch and said in words."""

import math

import pytest
import torch

from patches.runs.health import Health, Watch, pairwise_distance

RNG = torch.Generator().manual_seed(0)
REALS = 0.1 * torch.randn(20, 4, 8, 8, generator=RNG)
FAKES = 0.1 * torch.randn(16, 4, 8, 8, generator=RNG)


def as_sound(pictures: torch.Tensor) -> torch.Tensor:
    return pictures.flatten(1).unflatten(1, (2, -1))


def look(pictures: torch.Tensor, sound=as_sound) -> Health:
    return Watch(REALS, sound).look(pictures)


def test_pictures_like_the_datas_need_no_look():
    health = look(FAKES)
    assert health.warnings() == []
    assert health.level_db == pytest.approx(0, abs=0.5)
    assert health.diversity == pytest.approx(1, abs=0.1)
    assert (health.silent, health.nonfinite) == (0, 0)


def test_a_level_is_told_in_decibels_of_the_sound():
    assert look(10 * FAKES).level_db == pytest.approx(20, abs=0.5)
    assert look(FAKES / 10).level_db == pytest.approx(-20, abs=0.5)
    assert look(10 * FAKES).warnings() == ["the level drifts: +20 dB against the data's"]
    assert look(FAKES / 10).warnings()[-1] == "the level drifts: -20 dB against the data's"


def test_one_picture_for_all_is_a_collapse():
    health = look(FAKES[:1].expand(16, -1, -1, -1) + 1e-3 * FAKES)
    assert health.diversity < 0.01
    assert health.warnings() == ["the outputs are nearly all the same: collapse"]


def test_silent_outputs_are_counted():
    half = torch.cat([FAKES[:8], 1e-5 * FAKES[8:]])
    assert look(half).silent == 0.5
    assert "50% of the outputs are silent" in look(half).warnings()
    dead = look(torch.zeros_like(FAKES))
    assert dead.silent == 1
    assert dead.level_db == -120


def test_outputs_that_are_not_finite_are_counted_and_left_out_of_the_rest():
    broken = FAKES.clone()
    broken[3, 0, 0, 0] = math.nan
    broken[4, 1, 2, 3] = math.inf
    health = look(broken)
    assert health.nonfinite == 2 / 16
    assert health.level_db == pytest.approx(0, abs=0.5)
    assert health.warnings() == ["12% of the outputs are not finite"]
    nothing_left = look(torch.full_like(FAKES, math.nan))
    assert nothing_left.nonfinite == 1
    assert nothing_left.warnings() == ["100% of the outputs are not finite"]


def test_plain_pictures_have_a_level_but_no_silence():
    health = look(0 * FAKES + 0.1, sound=None)
    assert health.silent == 0
    assert health.level_db == pytest.approx(0, abs=0.5)


def test_data_without_a_second_item_can_be_watched():
    health = Watch(REALS[:1], as_sound).look(FAKES)
    assert health.diversity == 1
    assert pairwise_distance(REALS[:1]) == 0


def test_distances_are_euclidean_means_over_pairs():
    points = torch.tensor([[0.0, 0], [3, 4], [0, 8]]).view(3, 1, 1, 2)
    assert float(pairwise_distance(points)) == pytest.approx((5 + 8 + 5) / 3)
