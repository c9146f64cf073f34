# SPDX-License-Identifier: Apache-2.0
"""Shapes of log-magnitude pictures: trainable, overlapping, as long as the sounds, and what is given stands."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spect.errors import SoundError
from spect.phase.frames import Frames
from spect.phase.layout import suited_layout
from spect.representation import trainable


@settings(max_examples=200, deadline=None)
@given(samples=st.integers(128, 2**21))
def test_every_sound_has_a_picture_of_its_length(samples: int) -> None:
    chosen = suited_layout("logmag", samples, {})
    assert trainable(chosen["rows"], chosen["frames"])
    assert chosen["samples"] == samples
    assert 2 * chosen["rows"] >= 1.9 * chosen["hop"]
    frames = Frames(2 * chosen["rows"], chosen["hop"], chosen["frames"], samples, chosen["first"])
    last = frames.first + (frames.count - 1) * frames.hop
    assert frames.first <= chosen["rows"] // 2  # the ends lie well inside a window
    assert -chosen["hop"] < samples - last <= chosen["rows"] // 2 + 1


@pytest.mark.parametrize(("samples", "rows", "frames", "hop"), [
    (8192, 128, 128, 64), (32768, 256, 256, 128), (131072, 512, 512, 256), (524288, 1024, 1024, 512),
])  # fmt: skip
def test_powers_of_two_give_squares_at_a_quarter_of_the_window(samples: int, rows: int, frames: int, hop: int) -> None:
    chosen = suited_layout("logmag", samples, {})
    assert (chosen["rows"], chosen["frames"], chosen["hop"], chosen["first"]) == (rows, frames, hop, hop // 2)


def test_what_is_given_stands() -> None:
    assert suited_layout("logmag", 8192, {"rows": 64})["rows"] == 64
    assert suited_layout("logmag", 8192, {"frames": 64})["frames"] == 64
    assert suited_layout("logmag", 8192, {"hop": 128})["hop"] == 128
    assert suited_layout("logmag", 8192, {"rows": 100, "frames": 90, "hop": 90})["rows"] == 100
    assert suited_layout("logmag", 8192, {"floor_db": -90.0})["floor_db"] == -90.0


def test_a_hop_that_covers_less_cuts_and_one_that_covers_more_fills_up_by_one_frame_at_most() -> None:
    assert suited_layout("logmag", 20000, {"rows": 128, "frames": 128, "hop": 64})["samples"] == 8192
    assert suited_layout("logmag", 8100, {"rows": 128, "frames": 128, "hop": 64})["samples"] == 8192
    with pytest.raises(SoundError, match="at most one frame more"):
        suited_layout("logmag", 7000, {"rows": 128, "frames": 128, "hop": 64})


def test_sounds_too_short_are_refused() -> None:
    with pytest.raises(SoundError, match="no shape that networks learn fits sounds of 10 samples"):
        suited_layout("logmag", 10, {})
    with pytest.raises(SoundError, match="with rows=33"):
        suited_layout("logmag", 8192, {"rows": 33})


def test_columns_that_can_not_cover_the_sounds_are_refused_with_what_to_do() -> None:
    with pytest.raises(SoundError, match=r"33 columns.* take a hop of 249 to cover 8192 samples, and the window is 34"):
        suited_layout("logmag", 8192, {"rows": 17, "frames": 33})
