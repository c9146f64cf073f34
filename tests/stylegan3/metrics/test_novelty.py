# SPDX-License-Identifier: Apache-2.0
"""Copies of the training set are seen, new outputs aren't called copies."""

import math

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.nearest import nearest
from stylegan3.metrics.novelty import chance_below, novelty


def distances(seed: int, count: int, train: torch.Tensor) -> torch.Tensor:
    return nearest(torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)), train)[0]


TRAIN = torch.randn(800, 6, generator=torch.Generator().manual_seed(0))


def test_new_real_items_are_as_near_as_held_out_ones() -> None:
    result = novelty(distances(1, 400, TRAIN), distances(2, 400, TRAIN))
    assert result.near_train.low <= result.near_train_real.value <= result.near_train.high
    assert result.near_train_real.value == pytest.approx(4 / 401)
    assert result.nearer_than_real.low < 0.5 < result.nearer_than_real.high


def test_copied_training_items_are_seen_and_named() -> None:
    outputs = torch.cat([distances(1, 190, TRAIN), nearest(TRAIN[:10] + 1e-4, TRAIN)[0]])
    result = novelty(outputs, distances(2, 400, TRAIN))
    assert set(result.copied[:10].tolist()) == set(range(190, 200))
    assert result.near_train.low > result.near_train_real.value
    assert result.near_train.value >= 0.05


def test_outputs_that_hug_the_training_set_raise_the_chance_of_being_nearer() -> None:
    result = novelty(0.7 * distances(1, 300, TRAIN), distances(2, 300, TRAIN))
    assert result.nearer_than_real.low > 0.6
    assert result.quantiles[0.5].high < result.real_quantiles[0.5].low


@pytest.mark.parametrize("count", [10, 50, 99, 250])
def test_share_of_real_items_below_the_threshold_is_the_stated_one(count: int) -> None:
    rng = torch.Generator().manual_seed(3)
    shares, stated = [], 0.0
    for _ in range(400):
        result = novelty(torch.rand(200, generator=rng), torch.rand(count, generator=rng))
        shares.append(result.near_train.value)
        stated = result.near_train_real.value
    assert sum(shares) / 400 == pytest.approx(stated, rel=0.2)
    assert stated >= 0.0079


def test_chance_of_being_nearer_is_the_share_of_pairs() -> None:
    rng = torch.Generator().manual_seed(3)
    x, y = torch.randint(8, (40,), generator=rng).double(), torch.randint(10, (30,), generator=rng).double()
    expected = ((x[:, None] < y).double() + 0.5 * (x[:, None] == y).double()).mean()
    assert chance_below(x, y).value == pytest.approx(float(expected))


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_interval_of_the_chance_holds_the_closed_form(shift: float) -> None:
    rng, held = torch.Generator().manual_seed(3), 0
    truth = 0.5 * (1 + math.erf(shift / 2))  # two unit normals apart by `shift`
    for _ in range(300):
        found = chance_below(torch.randn(40, generator=rng), torch.randn(25, generator=rng) + shift)
        held += found.low <= truth <= found.high
    assert 0.91 <= held / 300 <= 0.99


def test_all_nearer_leaves_the_doubt_of_the_smaller_count() -> None:
    found = chance_below(torch.zeros(100), torch.ones(20))
    assert found.value == found.high == 1
    assert found.low == pytest.approx(0.839, abs=1e-3)  # Wilson, 20 of 20


def test_figures_have_names() -> None:
    names = set(novelty(torch.rand(50), torch.rand(50)).values())
    assert {"near_train", "near_train_real", "nearer_than_real", "distance_p01", "real_distance_p50"} <= names


def test_bad_distances_are_refused_in_one_line() -> None:
    for bad, reason in [
        (torch.zeros(0), "at least 1"),
        (torch.tensor([-1.0]), "0 or more"),
        (torch.ones(2) / 0, "finite"),
    ]:
        with pytest.raises(NetworkError, match=reason):
            novelty(bad, torch.ones(3))
