# SPDX-License-Identifier: Apache-2.0
"""What a classifier's training sounds go through, so that it doesn't learn takes by heart. All by one generator.

Light on purpose: labels may be pitches or tempi, so nothing is transposed, stretched or reversed.
"""

import torch
from torch import Tensor

SHIFT = 1 / 16  # of the length, either way
NOISE_DB = (15.0, 55.0)  # signal over noise
MASKED = 1 / 8  # of bands and of frames, at most
MIXED = 0.2  # alpha of mixup


def disturbed(sounds: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each sound in time (zeros come in), turn the polarity of every other, add white noise.

    Shape: [n, L] -> same.
    """
    n, length = sounds.shape
    reach = int(length * SHIFT)
    shifts = torch.randint(-reach, reach + 1, (n, 1), generator=generator)
    at = torch.arange(length) + shifts
    moved = sounds.gather(1, at.clamp(0, length - 1)) * ((at >= 0) & (at < length))
    signs = torch.randint(0, 2, (n, 1), generator=generator) * 2 - 1
    db = NOISE_DB[0] + torch.rand(n, 1, generator=generator) * (NOISE_DB[1] - NOISE_DB[0])
    level = moved.square().mean(1, keepdim=True).sqrt() * 10 ** (-db / 20)
    return moved * signs + level * torch.randn(n, length, generator=generator)


def mixed(sounds: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mix each sound with another of the batch, and its target in the same proportion (Zhang et al. 2018, mixup).

    The other's share is u^5 / 2 with u uniform: nearly the smaller part of the paper's Beta(0.2, 0.2).

    Shape: [n, L], [n, K] -> same.
    """
    n = sounds.shape[0]
    share = 1 - torch.rand(n, 1, generator=generator) ** (1 / MIXED) / 2
    other = torch.randperm(n, generator=generator)
    return share * sounds + (1 - share) * sounds[other], share * targets + (1 - share) * targets[other]


def masked(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Hide a stripe of bands and a stripe of frames of each picture behind its mean (Park et al. 2019, SpecAugment).

    Shape: [n, 1, F, T] -> same.
    """
    hidden = _stripe(pictures.shape[0], pictures.shape[2], generator)[:, None, :, None]
    hidden = hidden | _stripe(pictures.shape[0], pictures.shape[3], generator)[:, None, None, :]
    return torch.where(hidden.to(pictures.device), pictures.mean((2, 3), keepdim=True), pictures)


def _stripe(n: int, size: int, generator: torch.Generator) -> Tensor:
    """Draw where a stripe of 0 to an eighth of the size lies. Shape: -> bool [n, size]."""
    width = torch.rand(n, 1, generator=generator) * MASKED * size
    start = torch.rand(n, 1, generator=generator) * (size - width)
    at = torch.arange(size)
    return (at >= start.floor()) & (at < (start + width).floor())
