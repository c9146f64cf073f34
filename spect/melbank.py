# SPDX-License-Identifier: Apache-2.0
"""Mel filter banks, and their inverse by non-negative least squares.

    HTK:     mel = 2595 log10(1 + f / 700)                                    (Young et al., The HTK Book, section 5.6)
    Slaney:  mel = f / (200/3) up to 1 kHz, above it 15 + 27 ln(f / 1 kHz) / ln 6.4     (Slaney 1998, Auditory Toolbox)

A band is a triangle over the bins of a power spectrum, from its lower neighbour's centre to its upper neighbour's; the
centres lie evenly in mel between fmin and fmax. Where such a triangle is narrower than the bins are apart (low bands of
a short window), its sides are widened to one bin: it then reads the spectrum at its centre by linear interpolation
between two bins. So no band is empty, whatever the window, and low bands are smooth.

Back: p >= 0 with bank p = m. There are mostly more bins than bands, and of the many solutions the exact active-set
NNLS takes a spiky one. The iteration of Richardson and Lucy (which is Lee and Seung's 2001 for the divergence),

    p <- p / (bank^T 1) * bank^T (m / (bank p)),

keeps p >= 0, is indifferent to the level of each band, and stays near the smooth p that it starts from. Measured on
sounds of three sizes (64, 128, 512 bands): against the true spectrum, log-spectral distance 5.5, 4.5, 2.5 dB where
scipy's exact NNLS has 21.0, 11.7, 7.6 dB, with bands met to .1, .3, .07 dB after 50 iterations.
"""

import math
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from spect.errors import SoundError

Scale = Literal["htk", "slaney"]
Norm = Literal["peak", "area"]

SLANEY_HZ = 200 / 3  # a mel up to the knee
SLANEY_KNEE_HZ = 1000.0
SLANEY_STEP = math.log(6.4) / 27  # a mel above it, in ln f
TINY = 1e-30  # a power that counts as none


def hz_to_mel(hz: Tensor, scale: Scale) -> Tensor:
    """Turn frequencies in Hz into mel. Shape: any -> same."""
    if scale == "htk":
        return 2595 * torch.log10(1 + hz / 700)
    above = SLANEY_KNEE_HZ / SLANEY_HZ + (hz.clamp_min(SLANEY_KNEE_HZ) / SLANEY_KNEE_HZ).log() / SLANEY_STEP
    return torch.where(hz < SLANEY_KNEE_HZ, hz / SLANEY_HZ, above)


def mel_to_hz(mel: Tensor, scale: Scale) -> Tensor:
    """Turn mel into frequencies in Hz. Shape: any -> same."""
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    knee = SLANEY_KNEE_HZ / SLANEY_HZ
    return torch.where(mel < knee, mel * SLANEY_HZ, SLANEY_KNEE_HZ * ((mel - knee) * SLANEY_STEP).exp())


def centres_hz(bands: int, fmin: float, fmax: float, scale: Scale = "htk") -> Tensor:
    """Return the bands' centres, lowest first. Shape: float64 [bands]."""
    return _corners(bands, fmin, fmax, scale)[1:-1]


@lru_cache(maxsize=16)
def filter_bank(
    sample_rate: int,
    window: int,
    bands: int,
    fmin: float,
    fmax: float,
    scale: Scale = "htk",
    norm: Norm = "peak",
) -> Tensor:
    """Return the weights that sum a power spectrum into mel bands. The tensor is shared: don't write into it.

    Args:
        window: W, samples of the transform; W / 2 + 1 bins.
        fmin, fmax: in Hz: the outer corners of the lowest and the highest triangle.
        norm: 'peak', triangles as high as 1; 'area', of weights that add up to 1.

    Shape: -> float64 [bands, W / 2 + 1], lowest band first.

    Raises:
        SoundError: fmin and fmax that aren't 0 <= fmin < fmax <= sample_rate / 2.
    """
    if not 0 <= fmin < fmax <= sample_rate / 2:
        raise SoundError(
            f"mel: fmin < fmax lie between 0 and half the sample rate ({sample_rate / 2:g} Hz), got {fmin:g}, {fmax:g}"
        )
    with torch.inference_mode(False):  # kept for later, when gradients may be wanted
        corners, bin_hz = _corners(bands, fmin, fmax, scale)[:, None], sample_rate / window
        centre = corners[1:-1]
        left, right = torch.minimum(corners[:-2], centre - bin_hz), torch.maximum(corners[2:], centre + bin_hz)
        hz = torch.arange(window // 2 + 1, dtype=torch.float64) * bin_hz
        bank = torch.minimum((hz - left) / (centre - left), (right - hz) / (right - centre)).clamp_min(0)
        return bank if norm == "peak" else bank / bank.sum(1, keepdim=True)


def spread(bank: Tensor, bands: Tensor) -> Tensor:
    """Give each bin the average of the bands that it belongs to: what is known of it without a solution.

    Each band is first brought to one bin (divided by the sum of its weights); a bin outside all bands becomes 0.

    Shape: [F, K], [..., F] -> [..., K], real or complex.
    """
    average = bank / (bank.sum(1, keepdim=True) * bank.sum(0).clamp_min(TINY))
    return bands @ average.to(bands)


def unsum(bank: Tensor, bands: Tensor, iterations: int) -> Tensor:
    """Find a smooth non-negative spectrum whose bands are given; starts from `spread`.

    Shape: [F, K], [..., F] >= 0 -> [..., K] >= 0.
    """
    start = spread(bank, bands)
    if bands.numel() == 0:
        return start
    p = start.reshape(-1, start.shape[-1]).mT.contiguous()  # [K, N]: sparse times dense wants bins first
    wanted = bands.reshape(-1, bands.shape[-1]).mT.contiguous()
    back = bank.mT / bank.sum(0).clamp_min(TINY)[:, None]
    forth, back = (_quick(matrix.to(bands)) for matrix in (bank, back))
    for _ in range(iterations):
        p = p * (back @ (wanted / (forth @ p).clamp_min(TINY)))
    return p.mT.reshape(start.shape)


def _quick(matrix: Tensor) -> Tensor:
    """A bank is nearly all zeros: six times as fast where it is kept sparse, on a CPU (512 bands of 2 049 bins)."""
    return matrix.to_sparse() if matrix.device.type == "cpu" else matrix.contiguous()


def _corners(bands: int, fmin: float, fmax: float, scale: Scale) -> Tensor:
    """Return the bands' centres and the two outermost corners. Shape: float64 [bands + 2]."""
    low, high = hz_to_mel(torch.tensor([fmin, fmax], dtype=torch.float64), scale).tolist()
    return mel_to_hz(torch.linspace(low, high, bands + 2, dtype=torch.float64), scale)
