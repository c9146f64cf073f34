# SPDX-License-Identifier: Apache-2.0
"""How pictures [N, C, H, W] lie in memory."""

from __future__ import annotations

import torch
from torch import Tensor


def channels_last(x: Tensor) -> bool:
    """Return whether channels lie innermost, and could not be said to lie as usual."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def dense(x: Tensor) -> Tensor:
    """Return x as it lies where that is one of the two layouts without gaps, else as usual."""
    return x if channels_last(x) else x.contiguous()


def layout_of(x: Tensor) -> torch.memory_format:
    """Return the layout to make dense pictures in that are to lie as x does."""
    return torch.channels_last if channels_last(x) else torch.contiguous_format


def empty_as(x: Tensor, size: tuple[int, int], channels: int | None = None) -> Tensor:
    """Return an empty tensor [N, C or ``channels``, *size] in the layout of x [N, C, H, W]."""
    shape = (len(x), x.shape[1] if channels is None else channels, *size)
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=layout_of(x))
