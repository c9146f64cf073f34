# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from patches.loudness import amplitude, decibels, lower_peak, measure, trim_tail


def tone(peak: float = 0.5, samples: int = 1000) -> np.ndarray:
    wave = peak * np.cos(2 * np.pi * np.arange(samples) / 50)
    return np.stack([wave, 0.5 * wave]).astype(np.float32)


def test_a_peak_above_full_scale_lands_on_minus_0_1_dbfs():
    sound, gain_db = lower_peak(tone(2.0))
    assert decibels(np.abs(sound).max()) == pytest.approx(-0.1, abs=1e-5)
    assert gain_db == pytest.approx(-0.1 - 20 * np.log10(2), abs=1e-5)
    np.testing.assert_allclose(sound, tone(2.0) * amplitude(gain_db), atol=1e-6)


@pytest.mark.parametrize("peak", [0.0, 0.3, 1.0])
def test_a_sound_within_full_scale_is_untouched(peak):
    sound = tone(peak)
    assert lower_peak(sound) == (pytest.approx(sound), 0.0)
    assert lower_peak(sound)[0] is sound


def test_the_tail_is_cut_where_it_falls_below_minus_60_db_of_the_peak():
    sound = np.zeros((2, 1000), np.float32)
    sound[0, 100] = 0.5
    sound[1, 600] = -0.5 * amplitude(-59.9)
    sound[0, 900] = 0.5 * amplitude(-60.1)
    assert trim_tail(sound).shape == (2, 601)
    np.testing.assert_array_equal(trim_tail(sound), sound[:, :601])


def test_a_gain_does_not_move_the_cut():
    sound = tone() * np.exp(-np.arange(1000) / 60).astype(np.float32)
    assert trim_tail(sound).shape == trim_tail(0.01 * sound).shape != sound.shape


def test_silence_is_not_trimmed():
    assert trim_tail(np.zeros((2, 10), np.float32)).shape == (2, 10)


def test_levels_are_those_of_a_tone_on_an_offset():
    levels = measure(tone(0.4) + np.float32(0.1))
    assert levels.peak == pytest.approx(0.5, abs=1e-6)
    assert levels.dc == pytest.approx(0.1, abs=1e-6)
    assert levels.has_dc
    assert not measure(tone()).has_dc


def test_silence_is_known():
    assert measure(np.zeros((2, 10), np.float32)).silent
    assert not measure(tone(0.01)).silent
