# SPDX-License-Identifier: Apache-2.0
"""1x1 convolutions between a picture's few channels and a network's many, in one pass on a CPU (mix.cpp).

With a matrix w [F, M], one for all pictures or one each,

    to_many:  y[m] = sum_f w[f,m] x[f]          to_few:  y[f] = sum_m w[f,m] x[m]

The few channels and all sums are float32 or float64, whatever the many are: a network's ends are exact without a copy
of its activations. Both, and the sum over places of x[f] g[m], are linear in two things, and the gradients of each are
the other two: any order is the same code.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.layout import channels_last, layout_of
from stylegan3.ops.native import cpu
from stylegan3.ops.pointwise import wide

FEW = 5  # channels at most: a picture's four and a constant
BLOCK = 1024  # places, as in mix.cpp


def _run(name: str, few: int, many: Tensor, own: bool, *operands: Tensor) -> None:
    n, channels, height, width = many.shape
    sizes = (n, few, channels, height * width, channels_last(many), own)
    addresses = [t.data_ptr() for t in operands]
    mix = (ctypes.c_int64 * len(sizes))(*sizes)
    getattr(cpu.library(), f"mix_{name}")(mix, cpu.KINDS[many.dtype], *addresses, torch.get_num_threads())


def _as_few(x: Tensor, many: torch.dtype) -> Tensor:
    return x.to(wide(many)).contiguous()  # where autograd sees it


def _as_many(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=layout_of(x))


class _ToMany(torch.autograd.Function):
    """(x [N, F, H, W], w [1 or N, F, M]) -> [N, M, H, W]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, kind: torch.dtype, layout: torch.memory_format) -> Tensor:
        ctx.save_for_backward(x, w)
        y = torch.empty(len(x), w.shape[2], *x.shape[2:], dtype=kind, device=x.device, memory_format=layout)
        _run("to_many", x.shape[1], y, len(w) > 1, x, w, y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        g_x = to_few(grads[0], w) if ctx.needs_input_grad[0] else None
        g_w = _matrix(x, grads[0], len(w)) if ctx.needs_input_grad[1] else None
        return g_x, g_w, None, None


class _ToFew(torch.autograd.Function):
    """(x [N, M, H, W], w [1 or N, F, M]) -> [N, F, H, W]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        y = w.new_empty(len(x), w.shape[1], *x.shape[2:])
        _run("to_few", w.shape[1], x, len(w) > 1, x, w, y)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        g_x = to_many(grads[0], w, x.dtype, layout_of(x)) if ctx.needs_input_grad[0] else None
        g_w = _matrix(grads[0], x, len(w)) if ctx.needs_input_grad[1] else None
        return g_x, g_w


class _Matrix(torch.autograd.Function):
    """(x [N, F, H, W], g [N, M, H, W]) -> sum_hw x[f] g[m], of each picture, or of all: [1 or N, F, M]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, g: Tensor, matrices: int) -> Tensor:
        ctx.save_for_backward(x, g)
        n, few, height, width = x.shape
        parts = x.new_empty(n, -(-height * width // BLOCK), few, g.shape[1])
        _run("matrices", few, g, False, x, g, parts)
        return parts.sum((0, 1))[None] if matrices == 1 else parts.sum(1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, g = ctx.saved_tensors
        g_x = to_few(g, grads[0]) if ctx.needs_input_grad[0] else None
        g_g = to_many(x, grads[0], g.dtype, layout_of(g)) if ctx.needs_input_grad[1] else None
        return g_x, g_g, None


def _check(name: str, x: Tensor, w: Tensor, side: int) -> None:
    """Refuse a matrix that isn't one for these pictures, whose channels are its rows (side 1) or columns (2)."""
    n, channels = x.shape[:2]
    if w.ndim != 3 or len(w) not in (1, n) or w.shape[side] != channels or not 0 < w.shape[1] <= FEW:
        raise NetworkError(
            f"{name}: pictures {tuple(x.shape)} and matrices {tuple(w.shape)} of up to {FEW} rows don't fit"
        )


def to_many(x: Tensor, w: Tensor, kind: torch.dtype, layout: torch.memory_format) -> Tensor:
    """Convolve few channels to many, which are of a type and in a layout; differentiable to any order.

    Shape: x [N, F, H, W], w [1 or N, F, M] -> [N, M, H, W].

    Raises:
        NetworkError: for other shapes.
    """
    _check("to_many", x, w, 1)
    apply: Callable[..., Tensor] = _ToMany.apply
    return apply(_as_few(x, kind), _as_few(w, kind), kind, layout)


def to_few(x: Tensor, w: Tensor) -> Tensor:
    """Convolve many channels to few, which are float32 or float64; differentiable to any order.

    Shape: x [N, M, H, W], w [1 or N, F, M] -> [N, F, H, W], in planes.

    Raises:
        NetworkError: for other shapes.
    """
    _check("to_few", x, w, 2)
    apply: Callable[..., Tensor] = _ToFew.apply
    return apply(_as_many(x), _as_few(w, x.dtype))


def _matrix(x: Tensor, g: Tensor, matrices: int) -> Tensor:
    apply: Callable[..., Tensor] = _Matrix.apply
    return apply(_as_few(x, g.dtype), _as_many(g), matrices)
