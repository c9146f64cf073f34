# SPDX-License-Identifier: Apache-2.0
"""Filtered leaky ReLU: bias, upsample, leaky relu, clamp, downsample in one differentiable step.

    y = D phi(U (x + b)),    phi(v) = clamp(gain * leaky_relu(v))       Karras et al. 2021, section 3.1 and appendix D

U and D are banded matrices (bands.py); gain > 0 goes into U. phi is piecewise linear, so with s = phi' at U(x + b)

    gradient:           g_x = U^T (s . D^T g_y)
    gradient of that:   g_{g_y} = D (s . U g_{g_x})        and nothing to x, almost everywhere.

Only x and b are kept between forward and backward; U(x + b), four times as large or more, is made again. The work goes
tile by tile (WINDOW outputs square) over groups of planes, so that the raised samples of a tile stay in cache: the
whole raised canvas never exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.bands import Band, span
from stylegan3.ops.bias_act import SQRT2, bias_act
from stylegan3.ops.upfirdn import Filter, Impl, Taps, apply_terms, axis_band, constant, separated, sides, upfirdn2d

TILE = 64  # targets a side; 64 to 96 are equally fast on a CPU core, 128 is a fifth slower
WHOLE = 208  # raised samples a side up to which a canvas is one tile
SAMPLES = 1 << 19  # raised samples worked on at once on a CPU (2 MB of float32)

Terms = tuple[tuple[Band, Band], ...]
Window = tuple[int, int]


class Tile(NamedTuple):
    """One tile: where it reads, what it writes, and the matrices between (raised samples in the middle)."""

    source: tuple[Window, Window]  # of x, rows and columns
    target: tuple[Window, Window]
    other: tuple[Window, Window]  # of the incoming gradient (backward tiles alone; else as source)
    up: Terms
    onward: Terms  # raised -> target
    inward: Terms  # other -> raised


@dataclass(frozen=True, eq=False)
class Plan:
    """Both resamplings of one canvas size, with slope and clamp."""

    up: Terms
    down: Terms
    slope: float
    clamp: float | None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the result."""
        return self.down[0][0].n_out, self.down[0][1].n_out


def _cut(terms: Terms, outs: tuple[Window, Window], ins: tuple[Window, Window]) -> Terms:
    return tuple((r.window(outs[0], ins[0]), c.window(outs[1], ins[1])) for r, c in terms)


def _reads(terms: Terms, outs: tuple[Window, Window]) -> tuple[Window, Window]:
    return terms[0][0].inputs_of(*outs[0]), terms[0][1].inputs_of(*outs[1])


def _transposed(terms: Terms) -> Terms:
    return tuple((r.transposed, c.transposed) for r, c in terms)


def _windows(terms: Terms, raised: tuple[int, int]) -> Iterator[tuple[Window, Window]]:
    """Yield the target windows of a pass whose raised canvas has this size."""
    sizes = (terms[0][0].n_out, terms[0][1].n_out)
    steps = [n if r <= WHOLE else TILE for n, r in zip(sizes, raised, strict=True)]
    for rows in span(sizes[0], steps[0]):
        for columns in span(sizes[1], steps[1]):
            yield rows, columns


@lru_cache(maxsize=512)
def _tiles(plan: Plan, backward: bool) -> tuple[Tile, ...]:
    """Cut the forward pass (targets are outputs) or the backward pass (targets are inputs) into tiles."""
    raised = (plan.up[0][0].n_out, plan.up[0][1].n_out)
    onward = _transposed(plan.up) if backward else plan.down
    inward = _transposed(plan.down) if backward else plan.up
    tiles = []
    for target in _windows(onward, raised):
        middle = _reads(onward, target)
        source, other = _reads(plan.up, middle), _reads(inward, middle)
        cuts = (_cut(plan.up, middle, source), _cut(onward, target, middle), _cut(inward, middle, other))
        tiles.append(Tile(source, target, other, *cuts))
    return tuple(tiles)


def _take(x: Tensor, window: tuple[Window, Window]) -> Tensor:
    return x[:, window[0][0] : window[0][1], window[1][0] : window[1][1]]


def _activate(v: Tensor, plan: Plan) -> Tensor:
    v = F.leaky_relu_(v, plan.slope) if plan.slope != 1 else v
    return v if plan.clamp is None else v.clamp_(-plan.clamp, plan.clamp)


def _times_slope(g: Tensor, v: Tensor, plan: Plan) -> Tensor:
    """Multiply g by phi' at v: 1 or the slope, 0 where the result is clamped."""
    if plan.slope != 1:
        g = torch.ops.aten.leaky_relu_backward(g, v, plan.slope, False)
    if plan.clamp is None:
        return g
    low = -plan.clamp / plan.slope if plan.slope > 0 else -float("inf")
    return torch.ops.aten.hardtanh_backward(g, v, low, plan.clamp)


def _run(plan: Plan, x: Tensor, b: Tensor | None, other: Tensor | None, backward: bool) -> Tensor:
    """Go through the tiles: phi itself without ``other``, else s times ``other`` brought to the raised rate."""
    n, c, h, w = x.shape
    planes, bias = x.reshape(n * c, h, w), None if b is None else b.repeat(n)[:, None, None]
    others = None if other is None else other.reshape(n * c, *other.shape[2:])
    out = x.new_empty(n * c, *((h, w) if backward else plan.size))
    for tile in _tiles(plan, backward):
        raised = tile.onward[0][0].n_in * tile.onward[0][1].n_in
        step = n * c if x.device.type != "cpu" else max(1, SAMPLES // raised)
        for low, high in span(n * c, step):
            v = _take(planes[low:high], tile.source)
            v = apply_terms(v.clone() if bias is None else v + bias[low:high], tile.up)
            if others is None:
                v = _activate(v, plan)
            else:
                v = _times_slope(apply_terms(_take(others[low:high], tile.other), tile.inward), v, plan)
            _take(out[low:high], tile.target).copy_(apply_terms(v, tile.onward))
    return out.view(n, c, *out.shape[1:])


class _FilteredLrelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, b: Tensor | None, plan: Plan) -> Tensor:
        ctx.save_for_backward(x, b)
        ctx.plan = plan
        return _run(plan, x, b, None, backward=False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None]:
        x, b = ctx.saved_tensors
        g_x: Tensor = _Gradient.apply(grads[0], x, b, ctx.plan)
        return g_x, g_x.sum(dim=(0, 2, 3)) if ctx.needs_input_grad[1] else None, None


class _Gradient(torch.autograd.Function):
    """g_y -> U^T (s . D^T g_y); linear in g_y."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, x: Tensor, b: Tensor | None, plan: Plan) -> Tensor:
        ctx.save_for_backward(x, b)
        ctx.plan = plan
        return _run(plan, x, b, g, backward=True)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        x, b = ctx.saved_tensors
        return _Linear.apply(grads[0], x, b, ctx.plan), None, None, None


class _Linear(torch.autograd.Function):
    """v -> D (s . U v), the transposed map of _Gradient."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, x: Tensor, b: Tensor | None, plan: Plan) -> Tensor:
        ctx.save_for_backward(x, b)
        ctx.plan = plan
        return _run(plan, x, b, v, backward=False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        x, b = ctx.saved_tensors
        return _Gradient.apply(grads[0], x, b, ctx.plan), None, None, None


@lru_cache(maxsize=512)
def plan_for(
    fu: Taps | tuple[Taps, ...],
    fd: Taps | tuple[Taps, ...],
    up: int,
    down: int,
    pad: tuple[int, int, int, int],
    size: tuple[int, int],
    shape: tuple[float, float, float | None],
    flip: bool,
) -> Plan:
    """Return the plan of these settings; shape = (gain, slope, clamp)."""
    gain, slope, clamp = shape
    height, width = size
    each = up * gain**0.5  # along each axis
    ups = tuple(
        (axis_band(r, up, 1, pad[2:], height, each, flip), axis_band(c, up, 1, pad[:2], width, each, flip))
        for r, c in separated(fu)
    )
    high, wide = ups[0][0].n_out, ups[0][1].n_out
    downs = tuple(
        (axis_band(r, 1, down, (0, 0), high, 1.0, flip), axis_band(c, 1, down, (0, 0), wide, 1.0, flip))
        for r, c in separated(fd)
    )
    return Plan(ups, downs, slope, clamp)


def filtered_lrelu(
    x: Tensor,
    fu: Filter = None,
    fd: Filter = None,
    b: Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    gain: float = SQRT2,
    slope: float = 0.2,
    clamp: float | None = None,
    flip_filter: bool = False,
    impl: Impl = "fast",
) -> Tensor:
    """Add a bias, upsample, apply a leaky relu with gain and clamp, downsample; differentiable to any order.

    Args:
        fu, fd: filters of the two resamplings, 1-D (both axes) or 2-D; None is the identity.
        padding: samples at the raised rate, x0, x1, y0, y1; negative crops.
        impl: 'fast' (tiles of banded products, keeps x and b alone) or 'reference' (the definition, step by step).

    Shape: x [N, C, H, W], b [C] -> [N, C, (H*up + y0 + y1 - taps_u + 1 - taps_d) // down + 1, the same of W].
    """
    if impl == "reference":
        y = bias_act(x, b, impl=impl)
        y = upfirdn2d(y, fu, up=up, padding=padding, gain=up**2, flip_filter=flip_filter, impl=impl)
        y = bias_act(y, act="lrelu", alpha=slope, gain=gain, clamp=clamp, impl=impl)
        return upfirdn2d(y, fd, down=down, flip_filter=flip_filter, impl=impl)
    if gain <= 0:
        raise NetworkError(f"gain {gain}: must be above 0")
    size = (x.shape[2], x.shape[3])
    plan = plan_for(constant(fu), constant(fd), up, down, sides(padding), size, (gain, slope, clamp), flip_filter)
    apply: Callable[..., Tensor] = _FilteredLrelu.apply
    return apply(x, b, plan)
