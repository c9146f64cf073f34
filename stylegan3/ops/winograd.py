# SPDX-License-Identifier: Apache-2.0
"""3x3 convolution on a CPU with a quarter of the multiplications, Winograd's F(4x4, 3x3), or on a matrix unit.

A tile of 4x4 results reads 6x6 samples. Seen along one axis, results, kernel and samples are polynomials; products of
polynomials are products of their values at six points (0, +-sqrt(1/2), +-sqrt 2 and infinity). Transposed, so that it
correlates (Lavin and Gray 2016, section 4):

    y = A^T [ sum over channels of (G w G^T) . (B^T x B) ] A          . multiplies value by value

For all tiles together the sum is 36 matrix products [O, C] [C, tiles] with 36 products a tile, channel and result in
place of 144. winograd.h does all of it. The points make A and B small numbers: in float32 the result is about five
times as far from the exact one as a direct convolution's, 2e-6 of its largest value.

Pictures in bfloat16 are multiplied in bfloat16 (transformed ones and kernels rounded, sums float32) where the processor
can: twice the speed, 1.1 % rms away, where a direct convolution in bfloat16 is .24 % away. Of what a whole network's
pictures lose in bfloat16 that adds nothing that shows (T 256: 39.6 dB, with direct convolutions 35.5 dB).

Where a processor has a matrix unit for bfloat16 (Intel's AMX), products cost less than most transforms that save them:
pictures in bfloat16 are convolved there by F(2, 3) along rows and tap after tap along columns, with sums in float32
(direct.h), .34 % rms away; the gradients of their kernels tap after tap, .24 %.

The gradient of y for x is a convolution of the same kind, with the kernel turned round and its channels exchanged; that
for w is sum over tiles of  G^T [ (A g A^T) . (B^T x B) ] G. The three maps (x, w) -> y, (g, w) -> x, (g, x) -> w are
linear in both, and the gradients of each are the other two: any order is the same code.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stylegan3.ops import blocks
from stylegan3.ops.layout import layout_of
from stylegan3.ops.native import cpu
from stylegan3.ops.pointwise import wide

GROUP = 8 << 20  # bytes of tiles at a time: what is transformed is still near when it is multiplied

Scale = Tensor | None


def call(way: str, name: str, sizes: tuple[int, ...], layout: int, x: Tensor, *operands: Tensor | None) -> None:
    """Call a function of convolutions.h in one of its ways.

    Args:
        sizes: N, C, H, W, O, H', W', padding.
        layout: of all pictures: 0 for planes, 1 for channels innermost, 2 for blocks (blocks.py).
        x, operands: what it takes, in memory so.
    """
    lib = cpu.library()
    sizes = (*sizes, layout, GROUP)
    grid, kind = (ctypes.c_int64 * len(sizes))(*sizes), cpu.KINDS[x.dtype]
    threads = torch.get_num_threads()
    size = getattr(lib, f"{way}_scratch")(grid, kind, name == "kernels", threads)
    scratch = torch.empty(size, dtype=torch.uint8, device="cpu")
    addresses = [None if t is None else t.data_ptr() for t in (x, *operands, scratch)]
    getattr(lib, f"{way}_{name}")(grid, kind, *addresses, threads)


def _dense(factors: Scale, x: Tensor) -> Scale:
    return None if factors is None else factors.to(wide(x.dtype)).contiguous()


@dataclass(frozen=True)
class _Lie:
    """How pictures lie in memory: planes, channels innermost, or the blocks (blocks.py) of so many pictures."""

    layout: torch.memory_format
    pictures: int
    blocks: bool

    @staticmethod
    def of(x: Tensor, pictures: int | None) -> _Lie:
        if pictures is not None:
            return _Lie(torch.channels_last, pictures, True)
        return _Lie(layout_of(x), len(x), False)

    @property
    def number(self) -> int:
        return 2 if self.blocks else int(self.layout == torch.channels_last)

    def dense(self, x: Tensor) -> Tensor:
        return x.contiguous(memory_format=self.layout)

    def empty(self, like: Tensor, channels: int, size: tuple[int, int]) -> Tensor:
        shape = (self.pictures * blocks.count(channels), blocks.WIDTH) if self.blocks else (self.pictures, channels)
        return torch.empty(*shape, *size, dtype=like.dtype, device=like.device, memory_format=self.layout)


def correlate(
    x: Tensor,
    w: Tensor,
    padding: int,
    s: Scale = None,
    d: Scale = None,
    beside: Scale = None,
    pictures: int | None = None,
) -> tuple[Tensor, Scale]:
    """Return d conv(s x, w) in the layout of x and, of pictures beside it, sum_hw beside conv(s x, w) [N, O].

    Args:
        pictures: how many, where x, the result and what is beside it are their blocks.
    """
    lie = _Lie.of(x, pictures)
    x, w = lie.dense(x), w.to(wide(x.dtype)).contiguous()
    size = (x.shape[2] + 2 * padding - 2, x.shape[3] + 2 * padding - 2)
    y = lie.empty(x, len(w), size)
    dots = None
    if beside is not None:
        beside = lie.dense(beside.to(x.dtype))
        dots = (w.new_empty if size[1] else w.new_zeros)(lie.pictures, -(-size[0] // 4), len(w))
    s, d = _dense(s, x), _dense(d, x)
    sizes = (lie.pictures, w.shape[1], *x.shape[2:], len(w), *size, padding)
    call("winograd", "results", sizes, lie.number, x, s, w, y, d, beside, dots)
    return y, None if dots is None else dots.sum(1)


def kernel_gradient(
    g: Tensor,
    x: Tensor,
    padding: int,
    s: Scale = None,
    d: Scale = None,
    blocks_of: tuple[int, int, int] | None = None,
) -> Tensor:
    """Return the gradient [O, C, 3, 3] of the kernels for that of the results, d g [N, O, H', W'], and pictures s x.

    Args:
        blocks_of: N, C and O, where g and x are blocks.
    """
    n, channels, results = blocks_of or (len(x), x.shape[1], g.shape[1])
    lie = _Lie.of(x, n if blocks_of else None)
    g, x = lie.dense(g.to(x.dtype)), lie.dense(x)
    w = x.new_empty(results, channels, 3, 3, dtype=wide(x.dtype))
    s, d = _dense(s, x), _dense(d, x)
    sizes = (n, channels, *x.shape[2:], results, *g.shape[2:], padding)
    call("winograd", "kernels", sizes, lie.number, x, s, g, d, w)
    return w


def turned(w: Tensor) -> Tensor:
    """Return the kernels of the transposed convolution."""
    return w.transpose(0, 1).flip(2, 3)


class _Results(torch.autograd.Function):
    """(x, w) -> y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.padding = padding
        return correlate(x, w, padding)[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, w = ctx.saved_tensors
        for_x, for_w = ctx.needs_input_grad[:2]
        g_x = winograd(grads[0], turned(w), 2 - ctx.padding) if for_x else None
        g_w = _KernelGradient.apply(grads[0], x, ctx.padding) if for_w else None
        return g_x, g_w, None


class _KernelGradient(torch.autograd.Function):
    """(g, x) -> w."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(g, x)
        ctx.padding = padding
        return kernel_gradient(g, x, padding)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        g, x = ctx.saved_tensors
        for_g, for_x = ctx.needs_input_grad[:2]
        g_g = winograd(x, grads[0], ctx.padding) if for_g else None
        g_x = winograd(g, turned(grads[0]), 2 - ctx.padding) if for_x else None
        return g_g, g_x, None


def winograd(x: Tensor, w: Tensor, padding: int) -> Tensor:
    """Convolve, on the CPU, with padding 0 to 2; differentiable to any order.

    The result is in the pictures' type and layout; kernels are float32 where pictures have less precision.

    Shape: x [N, C, H, W], w [O, C, 3, 3] -> [N, O, H + 2 padding - 2, W + 2 padding - 2].
    """
    apply: Callable[..., Tensor] = _Results.apply
    return apply(x, w, padding)
