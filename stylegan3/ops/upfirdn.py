# SPDX-License-Identifier: Apache-2.0
"""Upsample, filter, downsample: y = down(f * pad(up(x))) over the two last axes of pictures [N, C, H, W].

``up`` inserts up-1 zeros after each sample; padding [x0, x1, y0, y1] counts samples at the raised rate, left, right,
top, bottom, and crops where negative; filters are turned round (true convolution) unless ``flip_filter``. A filter of
one axis is applied along both. Karras et al. 2019 (StyleGAN), Karras et al. 2021 (Alias-Free), appendix.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.bands import Band, along_columns, along_rows, band, span

Taps = tuple[float, ...]
Impl = Literal["auto", "fused", "plain", "reference"]
Filter = Tensor | Taps | tuple[Taps, ...] | None
SAMPLES = 1 << 20  # worked on at once on a CPU: 4 MB of float32 stay in its cache


def constant(f: Filter) -> Taps | tuple[Taps, ...]:
    """Return a filter as nested tuples, which can be hashed; None is the identity."""
    if f is None:
        return (1.0,)
    if isinstance(f, Tensor):
        rows = f.detach().double().cpu().tolist()
        return tuple(tuple(row) for row in rows) if f.ndim == 2 else tuple(rows)
    return f


@lru_cache(maxsize=256)
def separated(f: Taps | tuple[Taps, ...]) -> tuple[tuple[Taps, Taps], ...]:
    """Write a filter as a sum of products of (taps along H, taps along W), by singular values where it is 2-D."""
    if not isinstance(f[0], tuple):
        return ((f, f),)
    u, s, vt = np.linalg.svd(np.asarray(f, dtype=np.float64))
    parts = [k for k in range(len(s)) if s[k] > 1e-8 * s[0]]  # a radial filter needs 3 or 4 products of 12
    return tuple((tuple((u[:, k] * s[k]).tolist()), tuple(vt[k].tolist())) for k in parts)


def sides(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Return padding as (x0, x1, y0, y1); one number is all four, two are (x, y)."""
    p = (padding,) if isinstance(padding, int) else tuple(padding)
    p = p * 4 if len(p) == 1 else (p[0], p[0], p[1], p[1]) if len(p) == 2 else p
    if len(p) != 4:
        raise NetworkError(f"padding {padding}: one number, (x, y) or (x0, x1, y0, y1) is allowed")
    return p


@lru_cache(maxsize=4096)
def axis_band(taps: Taps, up: int, down: int, pad: tuple[int, int], n: int, gain: float, flip: bool) -> Band:
    """Return the band of one axis of n samples for upfirdn2d's arguments."""
    n_out = (n * up + pad[0] + pad[1] - len(taps)) // down + 1
    if n_out < 1:
        raise NetworkError(f"{len(taps)} taps are longer than the {n * up + sum(pad)} padded samples: pad more")
    scaled = tuple(t * gain for t in (taps[::-1] if flip else taps))
    return band(scaled, up, down, len(taps) - 1 - pad[0], n, n_out)


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
        impl: 'auto' (banded matrix products) or 'reference' (zeros inserted, then a plain convolution).

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
    return resample(x, terms)


def resample(x: Tensor, terms: tuple[tuple[Band, Band], ...]) -> Tensor:
    """Apply a sum of (row band, column band) products to pictures [N, C, H, W]."""
    result: Tensor = _Resample.apply(x, terms)
    return result


def apply_terms(planes: Tensor, terms: tuple[tuple[Band, Band], ...]) -> Tensor:
    """Apply a sum of separable bands to planes [P, H, W], the cheaper axis first."""
    total: Tensor | None = None
    for rows, columns in terms:
        grows = rows.n_out * columns.n_in < rows.n_in * columns.n_out
        if grows:
            y = along_columns(along_rows(planes, rows), columns)
        else:
            y = along_rows(along_columns(planes, columns), rows)
        total = y if total is None else total.add_(y)
    assert total is not None
    return total


def _apply_channels_last(x: Tensor, terms: tuple[tuple[Band, Band], ...]) -> Tensor:
    """Apply a sum of separable bands to pictures [N, C, H, W] whose channels lie innermost, leaving them there."""
    n, c, h, w = x.shape
    total: Tensor | None = None
    for rows, columns in terms:
        y = along_rows(x.permute(0, 2, 3, 1).reshape(n, h, w * c), rows)
        y = along_rows(y.view(n * rows.n_out, w, c), columns).view(n, rows.n_out, columns.n_out, c)
        total = y if total is None else total.add_(y)
    assert total is not None
    return total.permute(0, 3, 1, 2)


class _Resample(torch.autograd.Function):
    """A constant linear map; its gradient is the transposed one, so that any order is the same code."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, terms: tuple[tuple[Band, Band], ...]) -> Tensor:
        ctx.terms = terms
        n, c, h, w = x.shape
        rows, columns = terms[0]
        if not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
            return _apply_channels_last(x, terms)
        planes = x.reshape(n * c, h, w)
        size = max(h * w, rows.n_out * columns.n_out)
        step = n * c if x.device.type != "cpu" else max(1, SAMPLES // size)
        if step >= n * c:
            y = apply_terms(planes, terms)
        else:
            y = x.new_empty(n * c, rows.n_out, columns.n_out)
            for low, high in span(n * c, step):
                y[low:high] = apply_terms(planes[low:high], terms)
        return y.view(n, c, rows.n_out, columns.n_out)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return resample(grads[0], tuple((r.transposed, c.transposed) for r, c in ctx.terms)), None


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
