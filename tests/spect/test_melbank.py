# SPDX-License-Identifier: Apache-2.0
"""Mel filter banks and their non-negative inverse, held against scipy's exact solver."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from spect.errors import SoundError
from spect.melbank import centres_hz, filter_bank, hz_to_mel, mel_to_hz, spread, unsum


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_hz_comes_back_from_mel(scale: str) -> None:
    hz = torch.linspace(0, 20000, 999, dtype=torch.float64)
    torch.testing.assert_close(mel_to_hz(hz_to_mel(hz, scale), scale), hz, atol=1e-8, rtol=0)


def test_scales_meet_their_published_points() -> None:
    hz = torch.tensor([0.0, 700.0, 1000.0, 6400.0], dtype=torch.float64)
    htk = [0, 2595 * math.log10(2), 2595 * math.log10(17 / 7), 2595 * math.log10(71 / 7)]
    torch.testing.assert_close(hz_to_mel(hz, "htk"), torch.tensor(htk, dtype=torch.float64))
    # Slaney: 13 bands of 66.7 Hz below 1 kHz are 15 mel; 27 more, each 1.0711703 as high, end at 6.4 kHz
    torch.testing.assert_close(
        hz_to_mel(hz, "slaney"), torch.tensor([0, 10.5, 15, 42], dtype=torch.float64), atol=1e-12, rtol=0
    )


def test_triangles_peak_at_their_centres_and_add_up_to_one_between_them() -> None:
    centres = centres_hz(40, 0.0, 22050.0)
    bank = filter_bank(44100, 65536, 40, 0.0, 22050.0)
    hz = torch.arange(bank.shape[1]) * (44100 / 65536)
    assert (hz[bank.argmax(1)] - centres).abs().max() <= 44100 / 65536
    inside = (hz >= centres[0]) & (hz <= centres[-1])
    torch.testing.assert_close(bank[:, inside].sum(0), torch.ones(int(inside.sum()), dtype=torch.float64))
    assert bank.max() <= 1


@pytest.mark.parametrize(("window", "bands", "rate"), [(64, 64, 16000), (512, 512, 44100), (2048, 1024, 16000)])
def test_no_band_is_empty_even_where_bands_outnumber_bins(window: int, bands: int, rate: int) -> None:
    bank = filter_bank(rate, window, bands, 0.0, rate / 2)
    assert (bank.sum(1) >= 0.99).all()
    assert (bank[0] > 0).sum() <= 2  # and the lowest read two bins, no more


def test_unit_area_makes_every_band_a_mean() -> None:
    bank = filter_bank(22050, 1024, 80, 50.0, 11025.0, "slaney", "area")
    torch.testing.assert_close(bank.sum(1), torch.ones(80, dtype=torch.float64))


@pytest.mark.parametrize("limits", [(-1.0, 4000.0), (500.0, 500.0), (0.0, 4001.0)])
def test_limits_outside_half_the_rate_are_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(SoundError, match=r"between 0 and half the sample rate \(4000 Hz\)"):
        filter_bank(8000, 256, 16, *limits)


def spectra(bins: int, n: int = 12) -> torch.Tensor:
    """Power spectra over six decades: slopes, bumps and noise. Shape: float64 [n, bins]."""
    rng = torch.Generator().manual_seed(1)
    k = torch.arange(bins, dtype=torch.float64) / bins
    slope = 10 ** (-6 * k * torch.rand(n, 1, generator=rng).double())
    bumps = (-(((k - torch.rand(n, 1, generator=rng).double()) / 0.03) ** 2)).exp()
    noise = -torch.rand(n, bins, generator=rng).double().clamp_min(1e-3).log()
    return (slope + 10 * bumps) * noise


@pytest.mark.parametrize(("window", "bands"), [(512, 32), (512, 64), (256, 64)])
def test_inverse_meets_its_bands_as_scipys_exact_solver_does_and_is_nearer_to_the_spectrum(
    window: int, bands: int
) -> None:
    bank = filter_bank(22050, window, bands, 0.0, 11025.0)
    truth = spectra(window // 2 + 1)
    sums = truth @ bank.mT
    found = unsum(bank, sums, 100)
    exact = torch.from_numpy(np.stack([nnls(bank.numpy(), row.numpy())[0] for row in sums]))

    def miss(p: torch.Tensor) -> torch.Tensor:
        return (p @ bank.mT - sums).norm(dim=1) / sums.norm(dim=1)

    def distance_db(p: torch.Tensor) -> torch.Tensor:
        return (10 * ((p[:, 1:] + 1e-8) / (truth[:, 1:] + 1e-8)).log10()).square().mean(1).sqrt()

    assert (found >= 0).all()
    assert miss(exact).max() < 1e-9  # an exact solution is there, many of them
    assert miss(found).max() < 2e-3
    assert (distance_db(found) < distance_db(exact)).all()


def test_bands_that_no_spectrum_has_come_near_the_nearest_that_one_has() -> None:
    bank = filter_bank(16000, 256, 64, 0.0, 8000.0)
    sums = spectra(129) @ bank.mT
    sums = sums * (1 + 0.5 * torch.rand(sums.shape, generator=torch.Generator().manual_seed(2)).double())
    found = unsum(bank, sums, 200)
    best = np.array([nnls(bank.numpy(), row.numpy())[1] for row in sums]) / sums.norm(dim=1).numpy()
    miss = ((found @ bank.mT - sums).norm(dim=1) / sums.norm(dim=1)).numpy()
    assert best.max() > 0.01  # not to be met
    assert (miss <= 1.5 * best + 2e-3).all()


def test_silent_bands_stay_silent_and_empty_batches_empty() -> None:
    bank = filter_bank(8000, 128, 16, 0.0, 4000.0)
    assert not unsum(bank, torch.zeros(3, 16), 10).any()
    assert unsum(bank, torch.zeros(0, 5, 16), 10).shape == (0, 5, 65)


def test_level_only_scales_the_inverse() -> None:
    bank = filter_bank(8000, 128, 16, 0.0, 4000.0)
    sums = spectra(65) @ bank.mT
    torch.testing.assert_close(unsum(bank, 1e-6 * sums, 20), 1e-6 * unsum(bank, sums, 20))


def test_spreading_a_constant_spectrums_bands_gives_it_back() -> None:
    bank = filter_bank(8000, 256, 32, 0.0, 4000.0)
    flat = spread(bank, torch.ones(129, dtype=torch.float64) @ bank.mT)
    torch.testing.assert_close(flat[bank.sum(0) > 0], torch.ones_like(flat)[bank.sum(0) > 0])
    assert spread(bank, torch.ones(2, 32, dtype=torch.complex64)).dtype == torch.complex64
