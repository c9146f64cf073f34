# SPDX-License-Identifier: Apache-2.0
"""Rows, columns and hop for sounds of any length: learnable, near what is wanted, covering the sound."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spect.errors import SoundError
from spect.grid import choose_grid
from spect.representation import trainable


def window(rows: int, hop: int) -> int:
    return 2 ** math.ceil(math.log2(4 * hop))


@settings(max_examples=40, deadline=None)
@given(samples=st.integers(1024, 2**20), rows=st.integers(16, 600), frames=st.integers(16, 600))
def test_any_sound_gets_a_shape_that_networks_learn_whose_columns_cover_it(
    samples: int, rows: int, frames: int
) -> None:
    chosen = choose_grid("mel", samples, (rows, frames), {}, window)
    assert trainable(chosen["rows"], chosen["frames"])
    assert abs(math.log2(chosen["rows"] / rows)) + abs(math.log2(chosen["frames"] / frames)) <= 1.5
    last = chosen["first"] + (chosen["frames"] - 1) * chosen["hop"]
    assert 0 <= chosen["first"] <= chosen["window"] // 2
    assert last + chosen["window"] // 2 >= chosen["samples"] - 1
    assert samples - chosen["frames"] < chosen["samples"] <= samples + chosen["window"]


def test_what_is_trainable_is_taken_as_it_is() -> None:
    chosen = choose_grid("mel", 8192, (64, 64), {}, window)
    assert chosen == {"rows": 64, "frames": 64, "window": 512, "hop": 128, "first": 64, "samples": 8192}


def test_a_given_hop_decides_the_columns_and_cuts_what_they_do_not_reach() -> None:
    chosen = choose_grid("mel", 8192, (64, 64), {"hop": 100, "rows": 64}, window)
    assert (chosen["frames"], chosen["samples"]) == (64, 6400)  # 128 columns would pass the end by 4 608


def test_what_can_not_be_had_is_refused() -> None:
    with pytest.raises(SoundError, match="no picture that networks learn fits 12 samples"):
        choose_grid("mel", 12, (64, 64), {}, window)
    with pytest.raises(SoundError, match="10000 samples are asked for, the sounds have 8192; at most one window more"):
        choose_grid("mel", 8192, (64, 64), {"samples": 10000}, window)
