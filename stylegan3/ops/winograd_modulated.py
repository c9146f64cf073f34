# SPDX-License-Identifier: Apache-2.0
"""Winograd's convolution (winograd.py) with factors of each picture's channels on both sides: styles and demodulation.

They cost nothing while lines of samples are read and results written anyway. Of

    y = d conv(s x, w),    u = conv(d g, w turned),    K = the gradient of w for d g and s x

the gradients for g = dL/dy are  g_x = s u,  g_s = sum_hw x u,  g_w = K  and, with d not 0,  g_d = sum_hw g y / d.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.blocks import Blocks, blocked, filled, planes
from stylegan3.ops.native.act import CpuMaps, scaled
from stylegan3.ops.pointwise import LINEAR, Wanted
from stylegan3.ops.winograd import correlate, kernel_gradient, turned, winograd


class _Modulated(torch.autograd.Function):
    """(x, s, d, w) -> d conv(s x, w), of pictures or, where ``blocks``, of their blocks (blocks.py)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor, d: Tensor, w: Tensor, padding: int, blocks: bool) -> Tensor:
        y, _ = correlate(x, w, padding, s, d, pictures=len(s) if blocks else None)
        ctx.save_for_backward(x, s, d, w, y)
        ctx.padding, ctx.blocks = padding, blocks
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, s, d, w, y = ctx.saved_tensors
        needed, (g,) = ctx.needs_input_grad[:4], grads
        if torch.is_grad_enabled():  # gradients of gradients: of the same, taken apart
            return *_apart(g, (x, s, d, w), ctx.padding, ctx.blocks, needed), None, None
        for_x, for_s, for_d, for_w = needed
        pictures, of = (len(s), (len(s), w.shape[1], len(w))) if ctx.blocks else (None, None)
        g_x = g_s = None
        if for_x or for_s:
            beside = x if for_s else None
            g_x, g_s = correlate(g.to(x.dtype), turned(w), 2 - ctx.padding, d, s, beside, pictures)
        g_d = None
        if for_d:
            found = CpuMaps().gradients(g, y, None, y, Wanted(False, True, 0, False), LINEAR)[1]
            if found is not None:
                g_d = (found.view(filled(d).shape)[:, : d.shape[1]] if ctx.blocks else found) / d
        g_w = kernel_gradient(g, x, ctx.padding, s, d, of) if for_w else None
        return g_x, g_s, g_d, g_w, None, None


def _apart(
    g: Tensor, operands: tuple[Tensor, ...], padding: int, blocks: bool, needed: tuple[bool, ...]
) -> Iterator[Tensor | None]:
    """Yield the gradients of d conv(s x, w), in steps that have gradients to any order themselves."""
    # nodes of their own: d may come from s and w, which gets its share of the gradient from what is returned for d
    operands = tuple(t.view_as(t) for t in operands)
    x, s, d, w = operands
    pictures = planes(Blocks(x, w.shape[1])) if blocks else x
    y = scaled(winograd(scaled(pictures, s), w, padding), d)
    y = blocked(y).numbers if blocks else y
    asked = [t for t, wanted in zip(operands, needed, strict=True) if wanted]
    found = iter(torch.autograd.grad(y, asked, g, create_graph=True))
    return (next(found) if wanted else None for wanted in needed)


def _fits(x: Tensor | Blocks, s: Tensor, d: Tensor, w: Tensor) -> None:
    for name, factors, channels in (("s", s, w.shape[1]), ("d", d, w.shape[0])):
        if tuple(factors.shape) != (x.shape[0], channels):
            raise NetworkError(f"{name} {tuple(factors.shape)}: {(x.shape[0], channels)} is needed")


def modulated_winograd(x: Tensor, s: Tensor, d: Tensor, w: Tensor, padding: int) -> Tensor:
    """Return d conv(s x, w), as `winograd`, with factors of each picture's channels; d is not 0.

    Shape: x [N, C, H, W], s [N, C], d [N, O], w [O, C, 3, 3] -> [N, O, H + 2 padding - 2, W + 2 padding - 2].

    Raises:
        NetworkError: for factors of other shapes.
    """
    _fits(x, s, d, w)
    apply: Callable[..., Tensor] = _Modulated.apply
    return apply(x, s, d, w, padding, False)


def modulated_blocks(x: Blocks, s: Tensor, d: Tensor, w: Tensor, padding: int) -> Blocks:
    """Return the same of pictures in blocks.

    Raises:
        NetworkError: for factors of other shapes.
    """
    _fits(x, s, d, w)
    apply: Callable[..., Tensor] = _Modulated.apply
    return Blocks(apply(x.numbers, s, d, w, padding, True), len(w))
