# SPDX-License-Identifier: Apache-2.0
import base64
import io

import numpy as np
import pytest
import soundfile

from patches.scores.report.content import Clip
from patches.scores.report.sounds import Sounds, playable
from tests.patches.scores.report.support import RATE, clip, tone

HALF_STEP = 0.5 / 2**15


def heard(data: str) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float64", always_2d=True)
    return samples.T, rate


@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_comes_back_to_half_a_16_bit_step(channels):
    sounds = Sounds()
    sound = tone(330, channels=channels)
    assert sounds.add(Clip("x", sound, RATE)) == (0, "")
    back, rate = heard(sounds.data[0])
    assert rate == RATE
    assert back.shape == sound.shape
    assert np.abs(back - sound).max() <= HALF_STEP


def test_full_scale_does_not_turn_over():
    sounds = Sounds()
    sounds.add(Clip("x", np.array([[1.0, -1.0] * 50], np.float32), RATE))
    back, _ = heard(sounds.data[0])
    assert back[0, :2] == pytest.approx([1, -1], abs=2 * HALF_STEP)


def test_a_sound_is_kept_once():
    sounds = Sounds()
    assert [sounds.add(clip(seed, hz))[0] for seed, hz in ((0, 100), (1, 200), (2, 100))] == [0, 1, 0]
    assert len(sounds.data) == 2


def test_a_sound_above_full_scale_is_lowered_and_says_so():
    sound, done = playable(tone(100, peak=2.0))
    assert np.abs(sound).max() <= 1
    assert done == "played 6.1 dB lower: its peak is above full scale"


def test_a_sound_that_is_not_finite_is_silence_and_says_so():
    sound = tone(100)
    sound[0, 5] = np.nan
    played, done = playable(sound)
    assert not played.any()
    assert "NaN" in done
