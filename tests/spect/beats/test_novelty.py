# SPDX-License-Identifier: Apache-2.0
"""Listening: block by block as in one piece, at any rate and level."""

import io

import numpy as np
import pytest
import soundfile

from spect.beats import novelty
from spect.beats.novelty import LAG, RATE, hear
from tests.spect.beats.music import play, steady


def stored(sound: np.ndarray, rate: int = RATE) -> io.BytesIO:
    file = io.BytesIO()
    soundfile.write(file, sound.T, rate, format="WAV", subtype="FLOAT")
    return file


@pytest.mark.parametrize("rate", [22050, 44100])
def test_blocks_are_heard_as_the_whole(monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    sound = play(steady(125, 0.1, 6), 6, rate)
    whole = hear(stored(sound, rate), rate, sound.shape[1], 0.5)
    monkeypatch.setattr(novelty, "BLOCK", 20011)
    blocks = hear(stored(sound, rate), rate, sound.shape[1], 0.5)
    np.testing.assert_allclose(blocks.rises, whole.rises, atol=2e-3)  # dB
    np.testing.assert_allclose(blocks.levels, whole.levels, atol=1e-6)
    assert whole.seconds == pytest.approx(6, abs=whole.step_seconds)


def test_a_click_rises_where_its_frames_begin_to_hold_it() -> None:
    sound = np.zeros((2, RATE), np.float32)
    sound[:, RATE // 2] = 1
    found = hear(stored(sound), RATE, RATE, 1.0)
    frames = np.flatnonzero(found.rises[1] > 1) * found.frame_seconds + found.first_seconds
    assert frames.min() == pytest.approx(0.5 - novelty.WINDOW / 2 / RATE, abs=2 * found.frame_seconds)
    assert np.flatnonzero(found.levels[0]).tolist() == [RATE // 2 // novelty.STEP]


def test_a_quiet_recording_is_heard_as_a_loud_one() -> None:
    sound = play(steady(125, 0.1, 4), 4)
    peak = float(np.abs(sound).max())
    loud, quiet = (
        hear(stored(sound), RATE, sound.shape[1], peak),
        hear(stored(sound / 64), RATE, sound.shape[1], peak / 64),
    )
    np.testing.assert_array_equal(quiet.rises, loud.rises)
    np.testing.assert_array_equal(quiet.levels, loud.levels)


@pytest.mark.parametrize("frames", [1, 500, 1500])
def test_a_very_short_recording_is_heard_too(frames: int) -> None:
    found = hear(stored(np.full((2, frames), 0.1, np.float32)), RATE, frames, 0.1)
    assert found.rises.shape[1] >= LAG
    assert found.seconds <= frames / RATE
