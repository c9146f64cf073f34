# SPDX-License-Identifier: Apache-2.0
"""Centroids of tones are their frequencies; noise of any colour is noisy and tones are not."""

import math

import pytest
import torch

from spect.measures.timbre import timbre


def tone(hz: float, rate: int, partials: int = 1) -> torch.Tensor:
    time = torch.arange(rate) / rate
    return torch.as_tensor(sum(torch.sin(2 * math.pi * k * hz * time) / k for k in range(1, partials + 1)))[None, None]


def noise(rate: int) -> torch.Tensor:
    return torch.randn(1, 1, rate, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_a_sine_has_its_frequency_as_centroid_and_no_noise(rate: int) -> None:
    for hz in (0.06 * rate, 0.25 * rate, 0.4 * rate):
        found = timbre(tone(hz, rate), rate)
        assert found["centroid_hz"].item() == pytest.approx(hz, rel=0.02)
        assert found["flatness"].item() < 0.02


def test_two_equal_sines_have_their_middle_as_centroid_in_separate_channels_too() -> None:
    one, other = tone(1000, 44100), tone(5000, 44100)
    for sound in (one + other, torch.cat([one, other], dim=1)):
        assert timbre(sound, 44100)["centroid_hz"].item() == pytest.approx(3000, rel=0.02)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_white_noise_is_1_around_the_middle_of_the_spectrum(rate: int) -> None:
    found = timbre(noise(rate), rate)
    assert found["centroid_hz"].item() == pytest.approx(rate / 4, rel=0.02)
    assert found["flatness"].item() == pytest.approx(1, abs=0.03)


def test_dull_and_decaying_noise_is_as_noisy_and_its_centroid_lower() -> None:
    rate = 44100
    spectrum = torch.fft.rfft(noise(rate))
    dull = torch.fft.irfft(spectrum / (1 + torch.arange(spectrum.shape[-1]) / 500), n=rate)
    found = timbre(dull * torch.exp(-torch.arange(rate) / 5000), rate)
    assert found["flatness"].item() > 0.9
    assert found["centroid_hz"].item() < 0.7 * rate / 4


def test_a_harmonic_tone_is_no_noise_and_noise_in_it_is_heard() -> None:
    rate = 44100
    clean = tone(220, rate, 40)
    found = [timbre(clean + level * noise(rate), rate)["flatness"].item() for level in (0, 0.1, 0.5, 2)]
    assert found[0] < 0.05
    assert found == sorted(found)
    assert found[-1] > 0.8


@pytest.mark.parametrize("length", [1, 100, 3000])
def test_silence_is_0_and_short_sounds_are_finite(length: int) -> None:
    found = timbre(torch.cat([torch.zeros(1, 2, length), torch.ones(1, 2, length)]), 44100)
    assert found["centroid_hz"][0] == found["flatness"][0] == 0
    assert all(torch.isfinite(value).all() for value in found.values())
