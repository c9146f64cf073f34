# SPDX-License-Identifier: Apache-2.0
"""Modulation spectra: a tremolo stands at its rate and in its band; levels and phases don't count."""

import math

import pytest
import torch

from spect.measures.mel_spectrogram import log_mel
from spect.measures.modulation import ACOUSTIC, BANDS, FRAME_SECONDS, OCTAVES_HZ, modulation_spectrum

RATE = 44100


def table(sounds: torch.Tensor, rate: int = RATE) -> torch.Tensor:
    """Return [N, acoustic bands, octaves] in units of 20 dB."""
    scale = math.sqrt(ACOUSTIC * len(OCTAVES_HZ))
    return modulation_spectrum(sounds, rate).unflatten(1, (ACOUSTIC, len(OCTAVES_HZ))) * scale


def tremolo(modulation_hz: float, rate: int = RATE, seconds: float = 2.0) -> torch.Tensor:
    """Return noise whose level swings by 6 dB up and down. Shape: [1, 1, L]."""
    time = torch.arange(round(seconds * rate)) / rate
    noise = torch.randn(len(time), generator=torch.Generator().manual_seed(0))
    return (0.02 * noise * 10 ** (6 / 20 * torch.sin(2 * math.pi * modulation_hz * time)))[None, None]


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("octave", [0, 1, 2, 3, 4])
def test_a_tremolo_stands_out_in_the_octave_of_its_rate_in_every_band(octave: int, rate: int) -> None:
    steady, moved = (table(tremolo(hz, rate), rate)[0] for hz in (0.0, OCTAVES_HZ[octave]))
    assert ((moved - steady).argmax(-1) == octave).all()


def test_a_slow_tremolo_of_6_db_has_a_deviation_of_6_over_root_2_db() -> None:
    steady, moved = (table(tremolo(hz))[0, :, 0] for hz in (0.0, 2.0))
    swing_db = 20 * (moved.square() - steady.square()).sqrt()
    torch.testing.assert_close(swing_db, torch.full_like(swing_db, 6 / math.sqrt(2)), atol=0.4, rtol=0)


def test_a_tremolo_of_the_treble_moves_the_upper_bands_only() -> None:
    time = torch.arange(RATE) / RATE
    bass = 0.3 * torch.sin(2 * math.pi * 150 * time)
    treble = 0.1 * (1 + 0.8 * torch.sin(2 * math.pi * 8 * time)) * torch.sin(2 * math.pi * 9000 * time)
    moved = table((bass + treble)[None, None])[0, :, 2]
    at_150_hz, at_9_khz = (int((2595 * math.log10(1 + hz / 700) - 59) / 3876 * ACOUSTIC) for hz in (150, 9000))
    assert moved[at_9_khz] > 10 * moved[at_150_hz]


def test_all_octaves_together_are_the_variance_between_their_edges() -> None:
    sound = tremolo(8.0, seconds=1.0)
    energy = table(sound)[0].square().sum(-1)
    mel = log_mel(sound[:, 0], RATE, seconds=FRAME_SECONDS, bands=BANDS)[..., 3:-3]
    variance = mel.var(-1, correction=0).unflatten(1, (ACOUSTIC, -1)).mean(-1)[0]
    assert (energy <= variance).all()
    assert (energy > 0.8 * variance).all()  # the rest lies below 1.4 Hz


def test_steady_tones_do_not_move() -> None:
    chord = sum(torch.sin(2 * math.pi * hz * torch.arange(RATE) / RATE) for hz in (300.0, 2000.0, 7000.0))
    moved = table(torch.as_tensor(0.1 * chord)[None, None])
    loud = [int((2595 * math.log10(1 + hz / 700) - 59) / 3876 * ACOUSTIC) for hz in (300, 2000, 7000)]
    assert (moved[0, loud, :] < 0.1).all()


def test_level_polarity_and_the_direction_of_time_do_not_count() -> None:
    sound = tremolo(4.0)
    plain = modulation_spectrum(sound, RATE)
    for same in (sound * 0.5, -sound, sound.expand(-1, 2, -1)):
        torch.testing.assert_close(modulation_spectrum(same, RATE), plain, atol=2e-3, rtol=0)


@pytest.mark.parametrize("length", [1, 2, 100, 1024, 5000])
def test_short_and_silent_sounds_are_finite_and_octaves_that_do_not_fit_are_0(length: int) -> None:
    noise = 0.1 * torch.randn(2, 2, length, generator=torch.Generator().manual_seed(1))
    out = table(torch.cat([noise, torch.zeros(1, 2, length), torch.ones(1, 2, length)]))
    assert out.shape == (4, ACOUSTIC, len(OCTAVES_HZ))
    assert torch.isfinite(out).all()
    assert (out[2] == 0).all()
    assert (out[..., 0] == 0).all()  # half a turn of 2 Hz lasts longer
