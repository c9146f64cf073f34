# SPDX-License-Identifier: Apache-2.0
"""Stretching: drums where they belong, channels together, the same every time."""

import numpy as np
import pytest

from spect.beats.stretch import clip, stretch
from tests.spect.beats.music import RATE, lag, play, steady

LATE = 2e-3  # seconds; 10 ms are asked for


@pytest.mark.parametrize("ratio", [130 / 145, 130 / 124, 130 / 120])
def test_beats_lie_at_the_new_tempo(ratio: float) -> None:
    beats, rate = steady(120, 0.5, 8), 44100
    stretched = stretch(play(beats, 8, rate), rate, ratio)
    assert stretched.shape == (2, pytest.approx(8 * rate / ratio, abs=1))
    wanted = play(beats / ratio, 8 / ratio, rate)
    late = [lag(stretched, wanted, rate, beat) for beat in beats[1:-2] / ratio]
    assert np.abs(late).max() < LATE


def test_pitch_stays() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE, dtype=np.float32)
    stretched = stretch(tone[None], RATE, 1.07)[0, 4096 : 4096 + 16384]
    peak = np.abs(np.fft.rfft(stretched * np.hanning(16384))).argmax() * RATE / 16384
    assert peak == pytest.approx(440, abs=RATE / 16384)


def test_the_phase_between_channels_stays() -> None:
    """Left and right the same: the side stays nothing; right turned round: the mid stays nothing."""
    left = play(steady(128, 0.1, 4), 4)[:1]
    for sign in (1, -1):
        out = stretch(np.concatenate([left, sign * left]), RATE, 1.05)
        assert np.abs(out[0] - sign * out[1]).max() < 1e-3 * np.abs(out).max()


def test_ratio_one_changes_nothing_and_equal_input_gives_equal_output() -> None:
    sound = play(steady(128, 0.1, 3), 3)
    assert stretch(sound, RATE, 1.0) is sound
    np.testing.assert_array_equal(stretch(sound, RATE, 1.03), stretch(sound.copy(), RATE, 1.03))


@pytest.mark.parametrize("ratio", [1.0, 0.95, 1.08])
def test_a_clip_begins_on_its_beat_and_has_its_exact_length(ratio: float) -> None:
    beats = steady(125, 0.6, 10)
    sound, length = play(beats, 10, hats=0), 3 * RATE + 7
    for number in (0, 5):
        got = clip(sound, RATE, round(beats[number] * RATE), ratio, length)
        assert got.shape == (2, length)
        wanted = play(steady(125 * ratio, 0, 3), 3, hats=0, first=number)
        assert max(abs(lag(got, wanted, RATE, beat)) for beat in steady(125 * ratio, 0, 2.5)) < LATE
        assert np.abs(got[:, -2000:]).max() > 0.01  # music to the end
    past = clip(sound, RATE, 9 * RATE, ratio, length)
    assert not past[:, -RATE:].any()
