# SPDX-License-Identifier: Apache-2.0
"""Pictures whose channels lie in blocks: what a processor's vectors hold, one block's places after the other's.

Planes must be turned before channels are multiplied, and of pictures with all channels innermost each place is far
from the next one. Blocks are neither: [N, C, H, W] is kept as [N B, 16, H, W] with channels innermost, B blocks a
picture, the last one filled up with zeros. To everything that takes channels for themselves they are N B pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

WIDTH = 16  # channels of a block; as in pictures.h


def count(channels: int) -> int:
    """Return how many blocks so many channels fill."""
    return -(-channels // WIDTH)


def filled(numbers: Tensor) -> Tensor:
    """Return numbers of channels [..., C] with zeros for those that fill the last block."""
    missing = -numbers.shape[-1] % WIDTH
    return F.pad(numbers, (0, missing)) if missing else numbers


def each_block(kernels: Tensor) -> Tensor:
    """Return 1x1 kernels of pictures [N, F, C] as kernels of their blocks [N B, F, 16], whose results add up."""
    return filled(kernels).unflatten(2, (-1, WIDTH)).transpose(1, 2).flatten(0, 1)


@dataclass(frozen=True)
class Blocks:
    """Pictures in blocks, [N B, 16, H, W] in memory as channels innermost, and how many channels they have."""

    numbers: Tensor
    channels: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The pictures' shape [N, C, H, W]."""
        m, _, height, width = self.numbers.shape
        return m // count(self.channels), self.channels, height, width

    def mean_squares(self) -> Tensor:
        """Return the sum over pictures of their mean squares, float32; it has no gradient."""
        m, width, rows, columns = self.numbers.shape
        # as they lie, and row by row: long sums lose float32's last digits
        lines = self.numbers.detach().permute(0, 2, 3, 1).reshape(m * rows, columns * width)
        return torch.linalg.vector_norm(lines, dim=1).float().square().sum() / (self.channels * rows * columns)


def blocked(x: Tensor | Blocks) -> Blocks:
    """Return pictures [N, C, H, W] in blocks; differentiable."""
    if isinstance(x, Blocks):
        return x
    n, channels, height, width = x.shape
    missing = -channels % WIDTH
    x = F.pad(x, (0, 0, 0, 0, 0, missing)) if missing else x
    numbers = x.reshape(n * count(channels), WIDTH, height, width)
    return Blocks(numbers.contiguous(memory_format=torch.channels_last), channels)


def planes(x: Tensor | Blocks) -> Tensor:
    """Return pictures [N, C, H, W]; those of blocks in planes; differentiable."""
    if not isinstance(x, Blocks):
        return x
    n, channels, height, width = x.shape
    return x.numbers.reshape(n, count(channels) * WIDTH, height, width)[:, :channels]
