# SPDX-License-Identifier: Apache-2.0
import io

import numpy as np
import pytest
from PIL import Image

from patches.scores.report.spectrogram import HEIGHT, WIDTH, small_png, spectrogram
from tests.patches.scores.report.support import RATE, tone


def brightest(hz: float) -> int:
    return int(spectrogram(tone(hz, 1.0), RATE)[:, 10:-10].astype(float).sum((1, 2)).argmax())


def test_low_frequencies_are_at_the_bottom_and_octaves_equally_high():
    rows = [brightest(hz) for hz in (500, 1000, 2000, 4000)]
    assert (np.diff(rows) < 0).all()
    assert np.diff(rows) == pytest.approx(np.diff(rows).mean(), abs=1.5)


def test_time_goes_to_the_right():
    sound = tone(1000, 1.0)
    sound[:, : RATE // 2] = 0
    light = spectrogram(sound, RATE).astype(float).sum((0, 2))
    assert light[: WIDTH // 2 - 12].max() == 0
    assert light[WIDTH // 2 + 12 :].min() > 0


def test_left_is_orange_and_right_is_blue():
    sound = tone(1000)
    sound[1] = 0
    left, right = (spectrogram(one, RATE).astype(int).sum((0, 1)) for one in (sound, sound[::-1]))
    assert left[0] > left[2]
    assert right[2] > right[0]


@pytest.mark.parametrize("length", [1, 50, 5000, 200_000])
def test_a_sound_of_any_length_has_a_picture_of_one_size(length):
    noise = np.random.default_rng(0).uniform(-1, 1, (1, length)).astype(np.float32)
    picture = spectrogram(noise, RATE)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.max() > 100


def test_silence_and_what_is_not_finite_is_black():
    assert spectrogram(np.zeros((2, 4000), np.float32), RATE).max() == 0
    assert spectrogram(np.full((2, 4000), np.nan, np.float32), RATE).max() == 0


def test_a_small_png_looks_like_its_picture():
    picture = spectrogram(tone(1000), RATE)
    shown = np.asarray(Image.open(io.BytesIO(small_png(picture))).convert("RGB"))
    assert shown.shape == picture.shape
    assert np.abs(shown.astype(int) - picture).mean() < 8  # of 255: the palette's coarseness
