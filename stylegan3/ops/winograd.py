# SPDX-License-Identifier: Apache-2.0
"""3x3 convolution with a quarter of the multiplications, on a CPU: Winograd's F(4x4, 3x3).

A tile of 4x4 results reads 6x6 samples. Seen along one axis, results, kernel and samples are polynomials; products of
polynomials are products of their values at six points (0, +-sqrt(1/2), +-sqrt 2 and infinity). Transposed, so that it
correlates (Lavin and Gray 2016, section 4):

    y = A^T [ sum over channels of (G w G^T) . (B^T x B) ] A          . multiplies value by value

For all tiles together the sum is 36 matrix products [O, C] [C, tiles] with 36 products a tile, channel and result in
place of 144. winograd.cpp has the transforms A and B; G is six values of three coefficients. The points make A and B
small numbers: in float32 the result is about five times as far from the exact one as a direct convolution's, 2e-6 of
its largest value.

The gradient of y for x is a convolution of the same kind, with the kernel turned round and its channels exchanged; that
for w is sum over tiles of  G^T [ (A g A^T) . (B^T x B) ] G. The three maps (x, w) -> y, (g, w) -> x, (g, x) -> w are
linear in both, and the gradients of each are the other two: any order is the same code.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor

from stylegan3.ops.native import cpu

POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))  # and infinity
CACHE = 16 << 20  # numbers of tiles at a time (64 MB): what is transformed is still near when it is multiplied


@cache
def kernel_transform(kind: torch.dtype) -> Tensor:
    """Return G x G [36, 9]: the values of a 3x3 kernel at the points, over what B^T leaves out."""
    rows = []
    for p in POINTS:
        rest = torch.tensor([p - q for q in POINTS if q != p], dtype=torch.float64).prod()
        rows.append(torch.tensor([1.0, p, p * p], dtype=torch.float64) / rest)
    g = torch.stack([*rows, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)])
    return torch.einsum("ai,bj->abij", g, g).reshape(36, 9).to(kind)


def _transform(name: str, source: Tensor, target: Tensor, pictures: torch.dtype, sizes: tuple[int, ...]) -> None:
    function, grid = getattr(cpu.library(), f"winograd_{name}"), (ctypes.c_int64 * len(sizes))(*sizes)
    function(grid, cpu.KINDS[pictures], source.data_ptr(), target.data_ptr(), torch.get_num_threads())


class _Tiling:
    """The tiles of a convolution's results [N, O, H', W'], in groups of whole rows of tiles."""

    def __init__(self, shape: tuple[int, ...], channels: int) -> None:
        self.shape = shape
        self.rows, self.columns = -(-shape[2] // 4), -(-shape[3] // 4)
        self.step = max(1, CACHE // (36 * channels * self.columns))

    def groups(self) -> Iterator[tuple[int, int]]:
        """Yield the rows of tiles, counted through all pictures, that are worked on together."""
        for first in range(0, self.shape[0] * self.rows, self.step):
            yield first, min(first + self.step, self.shape[0] * self.rows)

    def tiles(self, group: tuple[int, int], channels: int, buffer: Tensor) -> Tensor:
        """Return a buffer as [36, channels, tiles of a group]."""
        count = (group[1] - group[0]) * self.columns
        return buffer[: 36 * channels * count].view(36, channels, count)

    def buffer(self, channels: int, like: Tensor) -> Tensor:
        """Return memory for a group's tiles: float32 where the pictures have less precision."""
        kind = torch.promote_types(like.dtype, torch.float32)
        return like.new_empty(36 * channels * self.columns * min(self.step, self.shape[0] * self.rows), dtype=kind)

    def sizes(self, picture: Tensor, pad: int, group: tuple[int, int]) -> tuple[int, ...]:
        """Return winograd.cpp's Grid."""
        return (*picture.shape, self.rows, self.columns, pad, *group)


def _correlate(x: Tensor, w: Tensor, padding: int) -> Tensor:
    """Return the convolution of pictures [N, C, H, W] with kernels [O, C, 3, 3]."""
    x, (o, c) = x.contiguous(), w.shape[:2]
    w = w.to(torch.promote_types(x.dtype, torch.float32))
    y = x.new_empty(len(x), o, x.shape[2] + 2 * padding - 2, x.shape[3] + 2 * padding - 2)
    tiling = _Tiling(y.shape, c + o)
    kernels = (kernel_transform(w.dtype) @ w.reshape(o * c, 9).t()).view(36, o, c)
    spread, products = tiling.buffer(c, x), tiling.buffer(o, x)
    for group in tiling.groups():
        v, m = tiling.tiles(group, c, spread), tiling.tiles(group, o, products)
        _transform("spread", x, v, x.dtype, tiling.sizes(x, padding, group))
        torch.bmm(kernels, v, out=m)
        _transform("gather", m, y, x.dtype, tiling.sizes(y, 0, group))
    return y


def _kernel_gradient(g: Tensor, x: Tensor, padding: int) -> Tensor:
    """Return the gradient [O, C, 3, 3] of the kernels for that of the results, g [N, O, H', W']."""
    g, x, o, c = g.to(x.dtype).contiguous(), x.contiguous(), g.shape[1], x.shape[1]
    tiling = _Tiling(g.shape, c + o)
    total = torch.zeros(36, o, c, dtype=torch.promote_types(x.dtype, torch.float32))
    spread, raised = tiling.buffer(c, x), tiling.buffer(o, x)
    for group in tiling.groups():
        v, m = tiling.tiles(group, c, spread), tiling.tiles(group, o, raised)
        _transform("spread", x, v, x.dtype, tiling.sizes(x, padding, group))
        _transform("raise", g, m, x.dtype, tiling.sizes(g, 0, group))
        total.baddbmm_(m, v.transpose(1, 2))
    return (kernel_transform(total.dtype).t() @ total.view(36, o * c)).t().reshape(o, c, 3, 3)


def _turned(w: Tensor) -> Tensor:
    return w.transpose(0, 1).flip(2, 3)


class _Results(torch.autograd.Function):
    """(x, w) -> y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.padding = padding
        return _correlate(x, w, padding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, w = ctx.saved_tensors
        for_x, for_w = ctx.needs_input_grad[:2]
        g_x = winograd(grads[0], _turned(w), 2 - ctx.padding) if for_x else None
        g_w = _KernelGradient.apply(grads[0], x, ctx.padding) if for_w else None
        return g_x, g_w, None


class _KernelGradient(torch.autograd.Function):
    """(g, x) -> w."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(g, x)
        ctx.padding = padding
        return _kernel_gradient(g, x, padding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        g, x = ctx.saved_tensors
        for_g, for_x = ctx.needs_input_grad[:2]
        g_g = winograd(x, grads[0], ctx.padding) if for_g else None
        g_x = winograd(g, _turned(grads[0]), 2 - ctx.padding) if for_x else None
        return g_g, g_x, None


def winograd(x: Tensor, w: Tensor, padding: int) -> Tensor:
    """Convolve in Winograd's way, on the CPU, padding 0 to 2; differentiable to any order.

    Pictures may be bfloat16 in memory: what lies between is float32 in any case.

    Shape: x [N, C, H, W], w [O, C, 3, 3] -> [N, O, H + 2 padding - 2, W + 2 padding - 2].
    """
    apply: Callable[..., Tensor] = _Results.apply
    return apply(x, w, padding)
