# SPDX-License-Identifier: Apache-2.0
"""Features of sounds: what each sees, what each is blind to, and that none breaks on short or silent sounds."""

import math

import pytest
import torch

from spect.errors import SoundError
from spect.measures.features import (
    LAGS,
    levels,
    log_mel_statistics,
    log_spectral_distance,
    stereo_and_level,
    waveform_features,
)
from spect.measures.mel_spectrogram import DB_UNIT, FLOOR_DB, MEL_BANDS, mel_filters

FEATURES = [log_mel_statistics, waveform_features]
RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000]


def noise(seed: int, count: int = 3, length: int = 16384) -> torch.Tensor:
    return 0.2 * torch.randn(count, 2, length, generator=torch.Generator().manual_seed(seed))


def sine(hz: float, rate: int, length: int = 16384, level: float = 1.0) -> torch.Tensor:
    return (level * torch.sin(2 * math.pi * hz * torch.arange(length) / rate)).expand(1, 2, -1)


def distance(features: torch.Tensor, others: torch.Tensor) -> float:
    return float((features - others).norm(dim=1).max())


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("rate", RATES)
def test_features_are_finite_and_of_one_size_from_silence_to_full_scale(feature, rate: int) -> None:  # type: ignore[no-untyped-def]
    sizes = set()
    for length in (1, 100, 1024, 5000, 60000):
        sounds = torch.cat([noise(1, 1, length), torch.zeros(1, 2, length), torch.ones(1, 2, length)])
        out = feature(sounds, rate)
        assert torch.isfinite(out).all()
        assert out.dtype == torch.float32
        sizes.add(tuple(out.shape))
    assert len(sizes) == 1


@pytest.mark.parametrize("feature", FEATURES)
def test_features_repeat_exactly_and_a_batch_is_its_items(feature) -> None:  # type: ignore[no-untyped-def]
    sounds = noise(2)
    out = feature(sounds, 44100)
    assert torch.equal(out, feature(sounds.clone(), 44100))
    torch.testing.assert_close(feature(sounds[1:2], 44100), out[1:2], rtol=0, atol=1e-5)


@pytest.mark.parametrize("feature", FEATURES)
def test_features_hear_level_but_not_polarity(feature) -> None:  # type: ignore[no-untyped-def]
    sounds = noise(3)
    plain = feature(sounds, 44100)
    assert distance(plain, feature(-sounds, 44100)) < 1e-5
    assert distance(plain, feature(0.5 * sounds, 44100)) > 0.2


def test_six_decibels_move_every_mel_mean_by_six_decibels() -> None:
    sounds = noise(4, length=60000)
    plain, soft = (log_mel_statistics(sounds * gain, 44100)[:, :MEL_BANDS] for gain in (1.0, 0.5))
    step_db = (plain - soft) * DB_UNIT * math.sqrt(MEL_BANDS)
    torch.testing.assert_close(step_db, torch.full_like(step_db, 6.02), rtol=0, atol=0.1)


@pytest.mark.parametrize("rate", RATES)
def test_full_scale_sine_peaks_near_zero_decibels_in_its_band(rate: int) -> None:
    for share in (0.1, 0.4, 0.8):
        hz = share * rate / 2
        mean = log_mel_statistics(sine(hz, rate, 65536), rate)[0, :MEL_BANDS] * DB_UNIT * math.sqrt(MEL_BANDS)
        size = 2 * (mel_filters(rate, 2048).shape[1] - 1)
        band = int(mel_filters(rate, size)[:, round(hz * size / rate)].argmax())
        assert abs(int(mean.argmax()) - band) <= 1
        assert -5 < float(mean.max()) < 3


@pytest.mark.parametrize("rate", RATES)
def test_every_mel_band_hears_something(rate: int) -> None:
    size = 2 ** round(math.log2(0.046 * rate))
    filters = mel_filters(rate, size)
    assert filters.shape == (MEL_BANDS, size // 2 + 1)
    assert float(filters.amax(1).min()) > 0.5


def test_log_mel_is_blind_to_phase_and_waveform_features_are_not() -> None:
    # Another noise has other phases and the same statistics; cubed, the same spectrum and other peaks.
    sounds, other = noise(5, 8, 32768), noise(6, 8, 32768)
    mel = [log_mel_statistics(x, 44100).mean(0) for x in (sounds, other)]
    assert float((mel[0] - mel[1]).norm()) < 0.05
    spiky = sounds.pow(3)
    spiky *= (sounds.square().mean() / spiky.square().mean()).sqrt()
    wave = [waveform_features(x, 44100).mean(0) for x in (sounds, other, spiky)]
    assert float((wave[0] - wave[2]).norm()) > 5 * float((wave[0] - wave[1]).norm())


def test_envelopes_tell_a_decay_from_its_reverse() -> None:
    decay = noise(7) * torch.exp(-torch.arange(16384) / 2000)
    for feature in FEATURES:
        assert distance(feature(decay, 44100), feature(decay.flip(-1), 44100)) > 0.5


def test_autocorrelation_finds_a_period() -> None:
    rate, period = 44100, 100
    features = waveform_features(sine(rate / period, rate), rate)[0]
    shape = features[-1 - LAGS : -1] * math.sqrt(LAGS)
    lags = torch.logspace(0, math.log2(0.05 * rate), LAGS, base=2, dtype=torch.float64).round()
    expected = torch.cos(2 * math.pi * lags / period) * (1 - lags / 16384)
    torch.testing.assert_close(shape.double(), expected, rtol=0, atol=0.01)


def test_waveform_features_hear_the_side() -> None:
    sounds = noise(8)
    mono = sounds.mean(1, keepdim=True)
    plain, narrow = (waveform_features(x, 44100) for x in (sounds, mono))
    assert float((plain - narrow).norm(dim=1).min()) > 1
    torch.testing.assert_close(waveform_features(mono.expand(-1, 2, -1), 44100), narrow)


def test_silence_sits_at_the_floor() -> None:
    mean = log_mel_statistics(torch.zeros(1, 2, 4096), 22050)[0, :MEL_BANDS] * DB_UNIT * math.sqrt(MEL_BANDS)
    torch.testing.assert_close(mean, torch.full_like(mean, FLOOR_DB), rtol=0, atol=1e-3)


def test_levels_are_the_definitions() -> None:
    sounds = torch.zeros(4, 2, 1000)
    sounds[0, :, ::2] = 1.0
    sounds[1, 1] = -0.25
    sounds[3, 0, :10] = 0.5
    sounds[3, 1, 5] = torch.nan
    out = levels(sounds)
    assert out["peak"].tolist() == [1, 0.25, 0, 0.5]
    assert out["dc"].tolist() == pytest.approx([0.5, -0.25, 0, 0.005])
    assert out["rms_db"].tolist() == pytest.approx([-3.0103, -15.0515, -200, -29.0309], abs=1e-3)
    assert out["clipped"].tolist() == [0.5, 0, 0, 0]
    assert out["silent"].tolist() == [False, False, True, False]
    assert out["finite"].tolist() == [True, True, True, False]


def test_wrong_shapes_and_bad_values_are_refused() -> None:
    for feature in FEATURES:
        with pytest.raises(SoundError, match="N, 1 or 2, L"):
            feature(torch.zeros(2, 100), 44100)
        with pytest.raises(SoundError, match="NaN"):
            feature(torch.full((1, 2, 100), torch.nan), 44100)


def test_stereo_and_level_sees_where_a_sound_lies_and_how_loud_it_is_and_not_its_pitch():
    t = torch.arange(8000) / 8000
    low, high = (torch.sin(2 * math.pi * hz * t) for hz in (500.0, 540.0))  # one octave band
    mono, left, wide = torch.stack([low, low]), torch.stack([low, 0 * low]), torch.stack([low, -low])
    f = stereo_and_level(torch.stack([mono, left, wide, 0.1 * mono, torch.stack([high, high])]), 8000)
    at = torch.cdist(f[:1], f)[0]
    assert f.shape == (5, 8 + 2 + 18)
    assert at[4] < 0.05
    assert (at[1:4] > 0.5).all()
    assert f[3, 8] - f[0, 8] == pytest.approx(-1.0, abs=1e-3)  # 20 dB are 1
    share, together = f[:, 10:16] * 6**0.5, f[:, 22:] * 6**0.5
    torch.testing.assert_close(share[:3].amax(1), torch.tensor([0.0, 0.5, 1.0]), atol=1e-4, rtol=0)
    assert together[0].min() > 0.999
    assert together[2].min() < -0.999


def test_a_silent_band_has_no_place():
    assert torch.isfinite(stereo_and_level(torch.zeros(2, 2, 4096), 8000)).all()


def test_log_spectral_distance_hears_levels_and_not_phases():
    noise = torch.randn(2, 2, 8192, generator=torch.Generator().manual_seed(0)) * 0.1
    assert log_spectral_distance(noise, -noise).max() == 0
    torch.testing.assert_close(log_spectral_distance(noise, 2 * noise), torch.full((2,), 6.02), atol=0.02, rtol=0)
    assert log_spectral_distance(torch.zeros(1, 2, 4096), torch.zeros(1, 2, 4096)) == 0
    other = torch.randn(2, 2, 8192, generator=torch.Generator().manual_seed(1)) * 0.1
    assert log_spectral_distance(noise, other).min() > 5
