# SPDX-License-Identifier: Apache-2.0
"""Convolution, stride 1, in the fastest way that is here: Winograd's on a CPU (winograd.py), else the library's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.engines import kernels_for
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.winograd import winograd

# Measured on two cores, 8 to 512 channels and 32 to 2048 tiles, forward and gradient: the library is sooner below
TILES, CHANNELS = 64, 16  # 4x4 tiles in the batch (kernels are transformed, too), channels (a vector holds 16)
KINDS = (torch.float32, torch.bfloat16)


def by_winograd(x: Tensor, w: Tensor, padding: int, impl: Impl) -> bool:
    """Return whether a convolution is one that Winograd's way takes and does sooner, and may."""
    served = x.device.type == "cpu" and x.dtype in KINDS and w.dtype == torch.float32
    if not served or w.shape[2:] != (3, 3) or padding > 2 or x.ndim != 4 or x.shape[1] != w.shape[1]:
        return False  # what doesn't fit is the library's to refuse
    rows, columns = (-(-(n + 2 * padding - 2) // 4) for n in x.shape[2:])
    worth_it = min(w.shape[:2]) >= CHANNELS and len(x) * rows * columns >= TILES
    return worth_it and kernels_for(x, impl) is not None


def conv2d(x: Tensor, w: Tensor, bias: Tensor | None = None, *, padding: int = 0, impl: Impl = "auto") -> Tensor:
    """Convolve; differentiable to any order. Kernels may be float32 where pictures have less precision.

    Shape: x [N, C, H, W], w [O, C, k, k], bias [O] -> [N, O, H + 2 padding - k + 1, W + 2 padding - k + 1].
    """
    if not by_winograd(x, w, padding, impl):
        return F.conv2d(x, w.to(x.dtype), None if bias is None else bias.to(x.dtype), padding=padding)
    y = winograd(x, w, padding)
    return y if bias is None else y + bias.to(y.dtype)[:, None, None]
