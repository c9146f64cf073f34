# SPDX-License-Identifier: Apache-2.0
"""Onset, attack and decay of sounds built with known times."""

import math

import pytest
import torch

from spect.measures.envelope import times_ms

RATES = [8000, 22050, 44100]


def noise(rate: int, seconds: float = 1.0) -> torch.Tensor:
    return torch.randn(1, 2, round(seconds * rate), generator=torch.Generator().manual_seed(0))


def seconds_of(sound: torch.Tensor, rate: int) -> torch.Tensor:
    return torch.arange(sound.shape[-1]) / rate


@pytest.mark.parametrize("rate", RATES)
def test_a_step_at_5_ms_begins_at_5_ms_and_rises_at_once(rate: int) -> None:
    sound = torch.ones(1, 1, rate // 2)
    sound[..., : round(0.005 * rate)] = 0
    found = times_ms(sound, rate)
    assert found["onset_ms"].item() == pytest.approx(5, abs=0.07)
    assert found["attack_ms"].item() <= 4


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("rise_ms", [50.0, 400.0])
def test_a_ramp_rises_from_a_tenth_to_nine_tenths_in_four_fifths_of_its_time(rise_ms: float, rate: int) -> None:
    sound = torch.sin(2 * math.pi * 1000 * torch.arange(rate) / rate)[None, None]
    sound = sound * (seconds_of(sound, rate) / (rise_ms / 1000)).clamp_max(1)
    found = times_ms(sound, rate)
    assert found["attack_ms"].item() == pytest.approx(0.8 * rise_ms, abs=3)
    assert found["onset_ms"].item() == pytest.approx(0.1 * rise_ms, abs=1)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("t60", [0.1, 0.5, 2.0])
def test_an_exponential_decay_has_its_t60(t60: float, rate: int) -> None:
    sound = noise(rate)
    sound = sound * 10 ** (-3 * seconds_of(sound, rate) / t60)
    assert times_ms(sound, rate)["decay_ms"].item() == pytest.approx(1000 * t60, rel=0.06)


def test_a_decay_that_the_end_cuts_off_is_extrapolated() -> None:
    sound = noise(44100)
    sound = sound * 10 ** (-3 * seconds_of(sound, 44100) / 5.0)  # 12 dB to the end
    assert times_ms(sound, 44100)["decay_ms"].item() == pytest.approx(5000, rel=0.15)


def test_steady_and_rising_sounds_do_not_decay_and_silence_has_no_times() -> None:
    tone = torch.sin(2 * math.pi * 440 * torch.arange(44100) / 44100)[None, None]
    rising = tone * torch.linspace(0, 1, 44100)
    found = times_ms(torch.cat([tone, rising, 0 * tone]), 44100)
    assert found["decay_ms"].tolist() == [math.inf, math.inf, 0]
    assert found["onset_ms"][2] == found["attack_ms"][2] == 0


@pytest.mark.parametrize("length", [1, 2, 50, 1000])
def test_short_sounds_are_taken(length: int) -> None:
    for value in times_ms(torch.ones(3, 2, length), 44100).values():
        assert value.shape == (3,)
        assert not value.isnan().any()


def test_times_do_not_hear_the_level() -> None:
    sound = noise(8000) * torch.exp(-torch.arange(8000) / 800)
    loud, soft = times_ms(sound, 8000), times_ms(1e-3 * sound, 8000)
    for name in loud:
        torch.testing.assert_close(loud[name], soft[name], rtol=1e-4, atol=1e-3)
