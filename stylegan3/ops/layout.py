# SPDX-License-Identifier: Apache-2.0
"""How pictures [N, C, H, W] lie in memory."""

from __future__ import annotations

import torch
from torch import Tensor


def channels_last(x: Tensor) -> bool:
    """Return whether channels lie innermost, and could not be said to lie as usual."""
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


def empty_as(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Return an empty tensor [N, C, *size] in the layout of x [N, C, H, W]."""
    layout = torch.channels_last if channels_last(x) else torch.contiguous_format
    return torch.empty((*x.shape[:2], *size), dtype=x.dtype, device=x.device, memory_format=layout)
