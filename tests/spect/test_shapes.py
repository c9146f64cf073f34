# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spect.errors import SoundError
from spect.representation import trainable
from spect.shapes import choose_shape, trainable_shapes


def two(rows: int) -> int:
    return 2 * rows


@pytest.mark.parametrize("shape", [(512, 512), (64, 128), (256, 64), (16, 16), (48, 16)])
def test_a_trainable_shape_that_the_sounds_fill_is_kept(shape: tuple[int, int]) -> None:
    assert choose_shape("x", two(shape[0]) * shape[1], shape[0], two) == shape


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(16, 600), frames=st.integers(16, 600))
def test_any_sound_gets_a_shape_that_networks_learn_and_loses_little(rows: int, frames: int) -> None:
    samples = two(rows) * frames
    f, t = choose_shape("x", samples, rows, two)
    assert trainable(f, t)
    assert t * two(f) <= samples + two(f), "one column of silence at most"
    # The powers of two below both sides always fit, within an octave of the rows; never worse than they.
    assert t * two(f) >= samples / 4 * 0.8


def test_given_sides_are_kept() -> None:
    assert choose_shape("x", 2 * 512 * 100, 512, two, rows=128) == (128, 384)
    assert choose_shape("x", 2 * 512 * 100, 512, two, frames=64) == (768, 64)
    assert choose_shape("x", 2 * 512 * 100, 512, two, rows=100, frames=7) == (100, 7)  # taken at their word


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    with pytest.raises(SoundError, match="x: 512x200 takes 204800 samples, the sounds have 102400; give up to 101"):
        choose_shape("x", 102400, 512, two, rows=512, frames=200)
    with pytest.raises(SoundError, match="sounds of 300 samples; the smallest, 16x16, takes 512"):
        choose_shape("x", 300, 16, two)
    with pytest.raises(SoundError, match="fits sounds of 102400 samples with rows=500"):
        choose_shape("x", 102400, 512, two, rows=500)
    with pytest.raises(SoundError, match="with frames=100"):
        choose_shape("x", 102400, 512, two, frames=100)


def test_the_shapes_that_networks_learn_are_given_once_each() -> None:
    shapes = list(trainable_shapes(range(4, 6), 3))
    assert sorted(shapes) == [
        (rows, frames)
        for rows in range(1, 97)
        for frames in range(1, 97)
        if trainable(rows, frames) and min(rows, frames) <= 32 and max(rows, frames) <= 3 * min(rows, frames)
    ]
    assert set(trainable_shapes(range(4, 6), 3, rows=48)) == {(48, 16)}
    assert set(trainable_shapes(range(4, 6), 3, frames=48)) == {(16, 48)}
