# SPDX-License-Identifier: Apache-2.0
"""Log-mel spectrograms for features: the level of each part of the spectrum over time, in units of 20 dB.

The numbers below belong to FEATURE_VERSION (features.py) and to the version of `modulation`.
"""

import math

import torch

MEL_BANDS = 48
MEL_LOWEST_HZ = 40.0
FRAME_SECONDS = 0.046  # rounded to a power of two: 2 048 samples at 44.1 kHz, 512 at 8 kHz
FLOOR_DB = -80.0  # below full scale; quieter bands and blocks count as this
DB_UNIT = 20.0  # decibels that count as 1


def log_mel(
    mid: torch.Tensor, sample_rate: int, *, seconds: float = FRAME_SECONDS, bands: int = MEL_BANDS
) -> torch.Tensor:
    """Return the log-mel spectrogram in units of 20 dB. Shape: [N, L] -> [N, bands, frames].

    Hann window, hop of a quarter, zeros around, so that the first and the last sample lie in as many frames as others.

    Args:
        seconds: a frame's length, rounded to a power of two of samples.
    """
    size = frame_size(sample_rate, seconds)
    window = torch.hann_window(size, device=mid.device)
    hop = size // 4
    padded = torch.nn.functional.pad(mid, (size - hop, size - hop + (-mid.shape[1]) % hop))
    power = torch.fft.rfft(padded.unfold(-1, size, hop) * window).abs().square() * (2 / window.sum()) ** 2
    mel = power @ mel_filters(sample_rate, size, bands).to(mid).T
    decibels = 10 * torch.log10(mel + 10 ** (FLOOR_DB / 10))
    return decibels.transpose(1, 2) / DB_UNIT


def frame_size(sample_rate: int, seconds: float = FRAME_SECONDS) -> int:
    """Return a frame's length in samples: the power of two nearest to so many seconds, 4 at least."""
    return max(4, 2 ** round(math.log2(seconds * sample_rate)))


def mel_filters(sample_rate: int, size: int, bands: int = MEL_BANDS) -> torch.Tensor:
    """Return triangles of peak 1, evenly spaced in mel (HTK: 2595 log10(1 + f / 700)) from 40 Hz to Nyquist.

    Shape: [bands, size / 2 + 1].
    """
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (MEL_LOWEST_HZ, sample_rate / 2))
    corners = 700 * (10 ** (torch.linspace(low, high, bands + 2, dtype=torch.float64) / 2595) - 1)
    hz = torch.arange(size // 2 + 1, dtype=torch.float64) * sample_rate / size
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    return torch.minimum((hz - left) / (centre - left), (right - hz) / (right - centre)).clamp_min(0)
