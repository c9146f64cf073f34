# SPDX-License-Identifier: Apache-2.0
"""Upsample, filter, downsample: y = down(f * pad(up(x))) over the two last axes of pictures [N, C, H, W].

``up`` inserts up-1 zeros after each sample; padding [x0, x1, y0, y1] counts samples at the raised rate, left, right,
top, bottom, and crops where negative; filters are turned round (true convolution) unless ``flip_filter``. A filter of
one axis is applied along both. Karras et al. 2019 (StyleGAN), Karras et al. 2021 (Alias-Free), appendix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.engines import kernels_for
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.resampling import Filter, Taps, Terms, axis_band, constant, resampled, separated, sides, transposed


def upfirdn2d(
    x: Tensor,
    f: Filter,
    *,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
    impl: Impl = "auto",
) -> Tensor:
    """Upsample, filter and downsample pictures; differentiable in x to any order.

    Args:
        f: taps along both axes (1-D), or a 2-D filter; None is the identity.
        padding: samples at the raised rate, x0, x1, y0, y1; negative crops.
        gain: factor on the result.
        impl: which way to compute it, see engines.py.

    Shape: x [N, C, H, W] -> [N, C, (H*up + y0 + y1 - taps) // down + 1, the same of W].
    """
    taps, pad = constant(f), sides(padding)
    if impl == "reference":
        return _by_definition(x, taps, up, down, pad, flip_filter, gain)
    axis_gain = gain**0.5 if gain > 0 else 1.0
    height, width = x.shape[2], x.shape[3]
    terms = tuple(
        (
            axis_band(rows, up, down, pad[2:], height, axis_gain if gain > 0 else gain, flip_filter),
            axis_band(columns, up, down, pad[:2], width, axis_gain, flip_filter),
        )
        for rows, columns in separated(taps)
    )
    return resample(x, terms, impl)


def resample(x: Tensor, terms: Terms, impl: Impl = "auto") -> Tensor:
    """Apply a sum of (row band, column band) products to pictures [N, C, H, W]; differentiable to any order."""
    result: Tensor = _Resample.apply(x, terms, impl)
    return result


class _Resample(torch.autograd.Function):
    """A constant linear map; its gradient is the transposed one, so that any order is the same code."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, terms: Terms, impl: Impl) -> Tensor:
        ctx.terms, ctx.impl = terms, impl
        kernels = kernels_for(x, impl)
        kernel = None if kernels is None else kernels.resampler(x, terms)
        return (kernel or resampled)(x, terms)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return _Resample.apply(grads[0], transposed(ctx.terms), ctx.impl), None, None


def _by_definition(
    x: Tensor,
    taps: Taps | tuple[Taps, ...],
    up: int,
    down: int,
    pad: tuple[int, int, int, int],
    flip: bool,
    gain: float,
) -> Tensor:
    """Follow the definition word by word: insert zeros, pad, convolve at the full rate, keep each down-th sample.

    A filter of one axis goes along one axis after the other, so that this is a fair yardstick (bench/).
    """
    n, c, h, w = x.shape
    spread = x.new_zeros(n, c, h, up, w, up)
    spread[:, :, :, 0, :, 0] = x
    full = F.pad(spread.reshape(n, c, h * up, w * up), list(pad))
    kernel = torch.tensor(taps, dtype=torch.float64)
    kernel = (kernel if flip else kernel.flip(*range(kernel.ndim))).to(x)
    for one in (kernel[None] * gain, kernel[:, None]) if kernel.ndim == 1 else (kernel * gain,):
        full = F.conv2d(full, one.expand(c, 1, *one.shape), groups=c)
    return full[:, :, ::down, ::down]
