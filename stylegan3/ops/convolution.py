# SPDX-License-Identifier: Apache-2.0
"""Convolution in the fastest way that is here: a CPU's own (winograd.py, halving.py), else the library's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.blocks import Blocks
from stylegan3.ops.engines import kernels_for
from stylegan3.ops.halving import doubled, halved
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.winograd import winograd

# Measured on two cores, 8 to 512 channels and 32 to 2048 tiles, forward and gradient: the library is sooner below
TILES, CHANNELS = 64, 16  # 4x4 tiles in the batch (kernels are transformed, too), channels (a vector holds 16)
HALVED_TILES, HALVED_CHANNELS = 256, 32  # the same of stride 2 and its transpose
KINDS = (torch.float32, torch.bfloat16)


def _pays(x: Tensor | Blocks, w: Tensor, size: tuple[int, int], tiles: int, channels: int, impl: Impl) -> bool:
    """Return whether the CPU's way serves pictures and 3x3 kernels of so many channels and 4x4 tiles of a size."""
    numbers = x.numbers if isinstance(x, Blocks) else x
    served = numbers.device.type == "cpu" and numbers.dtype in KINDS and w.dtype == torch.float32
    if not served or w.shape[2:] != (3, 3):
        return False
    large = min(w.shape[:2]) >= channels and x.shape[0] * -(-size[0] // 4) * -(-size[1] // 4) >= tiles
    return large and kernels_for(numbers, impl) is not None


def by_winograd(x: Tensor | Blocks, w: Tensor, padding: int, impl: Impl) -> bool:
    """Return whether a convolution is one that Winograd's way takes and does sooner, and may."""
    if padding > 2 or len(x.shape) != 4 or x.shape[1] != w.shape[1]:
        return False  # what doesn't fit is the library's to refuse
    size = (x.shape[2] + 2 * padding - 2, x.shape[3] + 2 * padding - 2)
    return _pays(x, w, size, TILES, CHANNELS, impl)


def by_halving(x: Tensor, w: Tensor, impl: Impl) -> bool:
    """Return the same of stride 2 without padding."""
    if x.ndim != 4 or x.shape[1] != w.shape[1] or x.shape[2] % 2 == 0 or x.shape[3] % 2 == 0:
        return False
    size = (x.shape[2] // 2, x.shape[3] // 2)
    return _pays(x, w, size, HALVED_TILES, HALVED_CHANNELS, impl)


def by_doubling(x: Tensor, w: Tensor, impl: Impl) -> bool:
    """Return the same of the transpose of stride 2."""
    if x.ndim != 4 or x.shape[1] != w.shape[1]:
        return False
    return _pays(x, w, (x.shape[2], x.shape[3]), HALVED_TILES, HALVED_CHANNELS, impl)


def conv2d(
    x: Tensor, w: Tensor, bias: Tensor | None = None, *, padding: int = 0, stride: int = 1, impl: Impl = "auto"
) -> Tensor:
    """Convolve; differentiable to any order. Kernels may be float32 where pictures have less precision.

    Shape: x [N, C, H, W], w [O, C, k, k], bias [O] -> [N, O, H', W'], H' = (H + 2 padding - k) // stride + 1.
    """
    if stride == 1 and by_winograd(x, w, padding, impl):
        y = winograd(x, w, padding)
    elif stride == 2 and padding == 0 and by_halving(x, w, impl):
        y = halved(x, w)
    else:
        return F.conv2d(x, w.to(x.dtype), None if bias is None else bias.to(x.dtype), stride, padding)
    return y if bias is None else y + bias.to(y.dtype)[:, None, None]


def conv_doubled(x: Tensor, w: Tensor, *, impl: Impl = "auto") -> Tensor:
    """Convolve x with zeros between its samples, each spread over k x k results that lie two apart; as ``conv2d``.

    Shape: x [N, C, H, W], w [O, C, k, k] -> [N, O, 2 H + k - 2, 2 W + k - 2].
    """
    exchanged = w.transpose(0, 1)
    return doubled(x, exchanged) if by_doubling(x, w, impl) else F.conv_transpose2d(x, exchanged.to(x.dtype), stride=2)
