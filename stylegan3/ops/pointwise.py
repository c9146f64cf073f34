# SPDX-License-Identifier: Apache-2.0
"""Gradients to any order of the pointwise end of a convolution, for whatever computes its three maps.

    y = phi(z),    z[n,o,h,w] = conv[n,o,h,w] d[n,o] + level[.,1,h,w] + bias[o],    phi(z) = clamp(gain leaky_relu(z))

As gain > 0 and slope > 0, y has the sign of z, so y tells s = phi'(z), which is constant almost everywhere; at 0 it is
the negative side's, as in PyTorch. The gradients for g = dL/dy, and the change of y as its operands change by (u, v, l,
b),

    gradients(g; conv, d)        = (s g d,  sum_hw s g conv,  sum_o s g,  sum_nhw s g)
    tangent(u, v, l, b; conv, d) = s (u d + conv v + l + b),

are each other's transposes, and conv and d enter the first as u and v enter the second. So the gradients of each are
the other, and gradients(.; u, v) for conv and d: any order is the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.bias_act import SQRT2
from stylegan3.ops.layout import dense, layout_of

Four = tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None]


class Act(NamedTuple):
    """Slope and gain, above 0, and clamp of the activation."""

    slope: float
    gain: float
    clamp: float | None

    @property
    def linear(self) -> bool:
        """Whether phi(z) = z, so that no result must be known for its slope."""
        return self == LINEAR

    def bound(self, kind: torch.dtype) -> float | None:
        """Return the clamp as numbers of a type hold it, so that a clamped y is known again."""
        return None if self.clamp is None else _held(self.clamp, kind)


@cache
def _held(number: float, kind: torch.dtype) -> float:
    return torch.tensor(number, dtype=kind).item()


LINEAR = Act(1.0, 1.0, None)


class Wanted(NamedTuple):
    """Which gradients are asked for; of the level, for how many pictures (0: none)."""

    conv: bool
    d: bool
    levels: int
    bias: bool


class Maps(Protocol):
    """The three maps, without gradients of their own. What may be absent is None: d is 1, any other one is 0.

    Those that are no pictures have float32's precision at least, and so have their gradients. In `value` they are
    dense; what takes the place of d, v, l or b in gradients of gradients may lie anyhow.

    Shape: pictures conv, u, g, y [N, O, H, W], dense, all in y's layout but where it says otherwise; d, v [N, O];
    level, l [1 or N, 1, H, W]; bias, b [O].
    """

    def value(
        self,
        conv: Tensor,
        d: Tensor | None,
        level: Tensor | None,
        bias: Tensor | None,
        act: Act,
        to: torch.memory_format,
    ) -> Tensor:
        """Return y in the layout `to`: conv's, or for a linear act any one."""

    def tangent(self, change: Four, conv: Tensor | None, d: Tensor | None, y: Tensor, act: Act) -> Tensor:
        """Return s (u d + conv v + l + b)."""

    def gradients(self, g: Tensor, conv: Tensor | None, d: Tensor | None, y: Tensor, wanted: Wanted, act: Act) -> Four:
        """Return (s g d, sum_hw s g conv, sum_o s g, sum_nhw s g), None for what isn't wanted; g lies in any layout."""


def wide(kind: torch.dtype) -> torch.dtype:
    """Return the type of sums over numbers of a type."""
    return torch.promote_types(kind, torch.float32)


def as_like(x: Tensor, y: Tensor) -> Tensor:
    """Return pictures in the type and layout of y, which the maps want; where autograd sees it."""
    return x.to(y.dtype).contiguous(memory_format=layout_of(y))


class _Value(torch.autograd.Function):
    """(conv, d, level, bias) -> y."""

    @staticmethod
    def forward(
        ctx: Any, conv: Tensor, d: Tensor | None, level: Tensor | None, bias: Tensor | None, act: Act, maps: Maps,
        to: torch.memory_format,
    ) -> Tensor:  # fmt: skip
        y = maps.value(conv, d, level, bias, act, to)
        ctx.save_for_backward(None if d is None else conv, d, conv if act.linear else y)
        ctx.levels, ctx.rest = 0 if level is None else len(level), (act, maps)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        conv, d, level, bias = ctx.needs_input_grad[:4]
        wanted = Wanted(conv, d, ctx.levels if level else 0, bias)
        y = ctx.saved_tensors[2]
        found: Four = _Gradients.apply(dense(grads[0].to(y.dtype)), *ctx.saved_tensors, wanted, *ctx.rest)
        return *found, None, None, None


class _Gradients(torch.autograd.Function):
    """(g, conv, d) -> gradients."""

    @staticmethod
    def forward(
        ctx: Any, g: Tensor, conv: Tensor | None, d: Tensor | None, y: Tensor, wanted: Wanted, act: Act, maps: Maps
    ) -> Four:
        ctx.save_for_backward(None if d is None and conv is None else g, conv, d, y)
        ctx.set_materialize_grads(False)
        ctx.rest = act, maps
        return maps.gradients(g, conv, d, y, wanted, act)

    @staticmethod
    def backward(ctx: Any, *change: Tensor | None) -> tuple[Tensor | None, ...]:
        g, conv, d, y = ctx.saved_tensors
        change = (None if change[0] is None else as_like(change[0], y), *change[1:])
        for_g, for_conv, for_d = ctx.needs_input_grad[:3]
        g_g = None if not for_g or all(t is None for t in change) else _Tangent.apply(*change, conv, d, y, *ctx.rest)
        return g_g, *_in_conv_and_d(g, change[0], change[1], y, (for_conv, for_d), ctx.rest), None, None, None, None


class _Tangent(torch.autograd.Function):
    """(u, v, l, b, conv, d) -> tangent."""

    @staticmethod
    def forward(
        ctx: Any, u: Tensor | None, v: Tensor | None, level: Tensor | None, b: Tensor | None, conv: Tensor | None,
        d: Tensor | None, y: Tensor, act: Act, maps: Maps,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(u, v, conv, d, y)
        ctx.levels, ctx.rest = 0 if level is None else len(level), (act, maps)
        return maps.tangent((u, v, level, b), conv, d, y, act)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        u, v, conv, d, y = ctx.saved_tensors
        g = as_like(grads[0], y)
        for_u, for_v, for_level, for_b, for_conv, for_d = ctx.needs_input_grad[:6]
        wanted = Wanted(for_u, for_v, ctx.levels if for_level else 0, for_b)
        found: Four = (None, None, None, None)
        if any(wanted):
            found = _Gradients.apply(g, conv, d, y, wanted, *ctx.rest)
        return *found, *_in_conv_and_d(g, u, v, y, (for_conv, for_d), ctx.rest), None, None, None


def _in_conv_and_d(
    g: Tensor, u: Tensor | None, v: Tensor | None, y: Tensor, needed: tuple[bool, bool], rest: tuple[Act, Maps]
) -> tuple[Tensor | None, Tensor | None]:
    """Return (s g v, sum_hw s g u), the gradients that <g, tangent(u, v)> has for conv and d."""
    wanted = Wanted(needed[0] and v is not None, needed[1] and u is not None, 0, False)
    found: Four = (None, None, None, None)
    if any(wanted):
        found = _Gradients.apply(g, u, v, y, wanted, *rest)
    return found[:2]


def _check(conv: Tensor, d: Tensor | None, level: Tensor | None, bias: Tensor | None) -> None:
    n, channels, *size = conv.shape
    levels = [(*first, *size) for first in ((), (1, 1), (n, 1))]
    for name, given, allowed in (("d", d, [(n, channels)]), ("level", level, levels), ("bias", bias, [(channels,)])):
        if given is not None and tuple(given.shape) not in allowed:
            raise NetworkError(f"{name} {tuple(given.shape)}: {' or '.join(map(str, allowed))} is needed")


def pointwise(
    maps: Maps,
    conv: Tensor,
    d: Tensor | None,
    level: Tensor | None,
    bias: Tensor | None,
    act: Act,
    to: torch.memory_format | None = None,
) -> Tensor:
    """Scale, add level and bias, activate; differentiable to any order.

    Args:
        d, level, bias: None scales by 1 or adds nothing; the level is one for all pictures or one each.
        to: the layout of the result, where it is only scaled; None: conv's.

    Shape: conv [N, O, H, W], d [N, O], level [1 or N, 1, H, W] or [H, W], bias [O] -> [N, O, H, W].

    Raises:
        NetworkError: for other shapes, or another layout than conv's for an act that isn't linear.
    """
    _check(conv, d, level, bias)
    kind = wide(conv.dtype)
    conv = dense(conv)
    if not act.linear and to not in (None, layout_of(conv)):
        raise NetworkError("only what is scaled alone can be turned: gradients want conv and y to lie alike")
    d = None if d is None else d.to(kind).contiguous()
    if level is not None:
        level = level.to(kind).reshape(len(level) if level.ndim == 4 else 1, 1, *conv.shape[2:]).contiguous()
    apply: Callable[..., Tensor] = _Value.apply
    bias = None if bias is None else bias.to(kind).contiguous()
    return apply(conv, d, level, bias, act, maps, to or layout_of(conv))


@dataclass(frozen=True)
class Scaled:
    """interfaces.Scaler by some maps."""

    maps: Maps

    def __call__(self, x: Tensor, scale: Tensor, to: torch.memory_format | None = None) -> Tensor:
        """Scale each picture's channels. Shape: x [N, C, H, W], scale [N, C] -> as x, in the layout `to`, else x's."""
        return pointwise(self.maps, x, scale, None, None, LINEAR, to)


@dataclass(frozen=True)
class Styled:
    """interfaces.Styler by some maps: demodulate, add noise and bias, apply a leaky relu with gain and clamp."""

    maps: Maps

    def __call__(
        self,
        conv: Tensor,
        d: Tensor | None,
        level: Tensor | None,
        bias: Tensor | None,
        *,
        slope: float = 0.2,
        gain: float = SQRT2,
        clamp: float | None = None,
    ) -> Tensor:
        """Return clamp(gain * leaky_relu(conv d + level + bias)), as ``pointwise`` says; slope and gain above 0."""
        return pointwise(self.maps, conv, d, level, bias, Act(slope, gain, clamp))
