# SPDX-License-Identifier: Apache-2.0
"""Modulation spectrum: how fast each part of a sound's spectrum moves, from slow swells to roughness.

    X[b, k] = sqrt(2 / T) sum over t of E[b, t] cos(pi k (t + 1/2) / T),   k = 1 ... T - 1,   at k r / (2 T) Hz
    feature[a, m] = sqrt(mean over bands b in a of sum over k in octave m of X[b, k]^2 / T)

E is a log-mel spectrogram of 24 bands in short frames (23 ms, a hop of about 6; r frames a second), in units of 20 dB;
a are 6 neighbouring groups of 4 bands, m the octaves about 2, 4, 8, 16, 32 and 64 Hz. The cosine transform continues
a sound evenly at its ends, where a Fourier transform would hear a jump from the last frame to the first. By Parseval
the squares of a band's octaves add up to the variance of its level: each number is a deviation, in 20 dB. An octave
without a coefficient, below half a turn a sound or above half the frame rate, is 0. After Chi, Ru and Shamma 2005
(spectro-temporal modulations) and McDermott and Simoncelli 2011 (modulation bands of sound texture).
"""

import math

import torch
from torch import Tensor

from spect.measures.features import frame_size, log_mel
from spect.measures.sounds import mid_of

FRAME_SECONDS = 0.023  # a power of two: 1 024 samples at 44.1 kHz, 256 at 8 kHz (nearest in octaves)
BANDS = 24
ACOUSTIC = 6
OCTAVES_HZ = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # centres, each from 1/sqrt(2) to sqrt(2)


def modulation_spectrum(sounds: Tensor, sample_rate: int) -> Tensor:
    """Describe how the level of a sound's mid moves in each part of its spectrum; blind to level, phase and polarity.

    Level is heard only where it brings a part of the spectrum under the floor of -80 dB.

    Shape: [N, 1 or 2, L] -> [N, 6 * 6], acoustic bands from low to high, in each the octaves from slow to fast.
    """
    mel = log_mel(mid_of(sounds), sample_rate, seconds=FRAME_SECONDS, bands=BANDS)
    energy = _cosine_energy(mel) @ _octaves(mel.shape[-1], sample_rate).to(mel).T  # [N, bands, octaves]
    pooled = energy.unflatten(1, (ACOUSTIC, BANDS // ACOUSTIC)).mean(2)
    return pooled.sqrt().flatten(1) / math.sqrt(ACOUSTIC * len(OCTAVES_HZ))


def _cosine_energy(levels: Tensor) -> Tensor:
    """Return X^2 / T; their sum over k is the variance over time. Shape: [..., T] -> [..., T]; 0 at k = 0.

    The Fourier transform of a signal followed by its mirror image has twice the moduli of the cosine transform.
    """
    frames = levels.shape[-1]
    centred = levels - levels.mean(-1, keepdim=True)
    spectrum = torch.fft.rfft(torch.cat([centred, centred.flip(-1)], dim=-1))[..., :frames]
    energy = spectrum.abs().square() / (2 * frames**2)
    energy[..., 0] = 0.0
    return energy


def _octaves(frames: int, sample_rate: int) -> Tensor:
    """Return which coefficient lies in which octave, 0 or 1. Shape: [octaves, T]."""
    rate = sample_rate / (frame_size(sample_rate, FRAME_SECONDS) // 4)
    hz = torch.arange(frames, dtype=torch.float64) * rate / (2 * frames)
    centres = torch.tensor(OCTAVES_HZ, dtype=torch.float64)[:, None]
    return ((hz >= centres / math.sqrt(2)) & (hz < centres * math.sqrt(2))).double()
