# SPDX-License-Identifier: Apache-2.0
"""How bright and how noisy a sound is.

P[t, k] is the power spectrum of all channels together, in Hann frames of about 46 ms at half overlap.

    centroid = sum of f[k] A[k] / sum of A[k],   A[k]^2 = mean over t of P[t, k]
    noisiness = e^gamma mean over t and blocks of 32 bins, weighted by energy, of
                (geometric mean of P in the block) / (arithmetic mean)

The ratio is MPEG-7's spectral flatness (ISO/IEC 15938-4), in blocks, so that dull noise is noise too; the power of white
noise is exponentially distributed in each bin, where the ratio is e^-gamma (gamma Euler's constant): it counts as 1.
"""

import math

import torch
from torch import Tensor

from spect.measures.features import frame_size
from spect.measures.sounds import check_sounds, finite_only, ratio

BLOCK = 32  # bins
EULER = 0.5772156649015329
LEAST = 1e-10  # of a block's mean power


def timbre(sounds: Tensor, sample_rate: int) -> dict[str, Tensor]:
    """Measure brightness and noisiness.

    Returns:
        centroid_hz: 0 for silence. flatness: 0 for pure tones and silence, about 1 for noise of any colour.

    Shape: [N, 1 or 2, L] -> each [N].
    """
    check_sounds(sounds)
    power = _power(finite_only(sounds).float(), sample_rate)
    amplitude = power.mean(1).sqrt()
    hz = torch.linspace(0, sample_rate / 2, power.shape[-1], device=power.device)
    return {"centroid_hz": ratio(amplitude @ hz, amplitude.sum(1)), "flatness": _noisiness(power)}


def _power(sounds: Tensor, sample_rate: int) -> Tensor:
    """Return P, half a frame of zeros around. Shape: [N, C, L] -> [N, T, W / 2 + 1]."""
    size = max(2 * BLOCK, frame_size(sample_rate))
    hop = size // 2
    padded = torch.nn.functional.pad(sounds, (hop, hop + -sounds.shape[-1] % hop))
    window = torch.hann_window(size, device=sounds.device)
    spectrum = torch.view_as_real(torch.fft.rfft(padded.unfold(-1, size, hop) * window))
    return spectrum.square().sum(-1).sum(1)


def _noisiness(power: Tensor) -> Tensor:
    """Return e^gamma times the energy-weighted flatness of blocks. Shape: [N, T, bins] -> [N]."""
    blocks = power[..., 1:].unflatten(-1, (-1, BLOCK))
    mean = blocks.mean(-1)
    floor = (LEAST * mean[..., None]).clamp_min(torch.finfo(power.dtype).tiny)
    geometric = torch.maximum(blocks, floor).log().mean(-1).exp()
    return (ratio(geometric.sum((1, 2)), mean.sum((1, 2))) * math.exp(EULER)).clamp_max(1.0)
