# SPDX-License-Identifier: Apache-2.0
"""The filtered leaky relu in plain PyTorch, on any device, in any precision, with any filter.

The work goes tile by tile (TILE results square) over groups of planes, so that the raised samples of a tile stay in
cache: the whole raised canvas never exists. For the gradient U(x + b), four times as large as x or more, is made again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.bands import span
from stylegan3.ops.plans import Plan
from stylegan3.ops.resampling import Terms, apply_terms, transposed

TILE = 64  # targets a side; 64 to 96 are equally fast on a CPU core, 128 is a fifth slower
WHOLE = 208  # raised samples a side up to which a canvas is one tile
SAMPLES = 1 << 19  # raised samples worked on at once on a CPU (2 MB of float32)

Window = tuple[int, int]


class Tile(NamedTuple):
    """One tile: where it reads, what it writes, and the matrices between (raised samples in the middle)."""

    source: tuple[Window, Window]  # of x, rows and columns
    target: tuple[Window, Window]
    other: tuple[Window, Window]  # of the incoming gradient (backward tiles alone; else as source)
    up: Terms
    onward: Terms  # raised -> target
    inward: Terms  # other -> raised


def _cut(terms: Terms, outs: tuple[Window, Window], ins: tuple[Window, Window]) -> Terms:
    return tuple((r.window(outs[0], ins[0]), c.window(outs[1], ins[1])) for r, c in terms)


def _reads(terms: Terms, outs: tuple[Window, Window]) -> tuple[Window, Window]:
    return terms[0][0].inputs_of(*outs[0]), terms[0][1].inputs_of(*outs[1])


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
    raised = plan.raised
    onward = transposed(plan.up) if backward else plan.down
    inward = transposed(plan.down) if backward else plan.up
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


def run(plan: Plan, x: Tensor, b: Tensor | None, other: Tensor | None, backward: bool) -> Tensor:
    """Go through the tiles: phi itself without ``other``, else s times ``other`` brought to the raised rate."""
    n, c, h, w = x.shape
    kind = torch.promote_types(x.dtype, torch.float32)  # of the arithmetic
    planes = x.reshape(n * c, h, w)
    bias = x.new_zeros(n * c, 1, 1, dtype=kind) if b is None else b.to(kind).repeat(n * c // len(b))[:, None, None]
    others = None if other is None else other.reshape(n * c, *other.shape[2:])
    out = x.new_empty(n * c, *((h, w) if backward else plan.size))
    for tile in _tiles(plan, backward):
        raised = tile.onward[0][0].n_in * tile.onward[0][1].n_in
        step = n * c if x.device.type != "cpu" else max(1, SAMPLES // raised)
        for low, high in span(n * c, step):
            v = apply_terms(_take(planes[low:high], tile.source) + bias[low:high], tile.up)
            if others is None:
                v = _activate(v, plan)
            else:
                v = _times_slope(apply_terms(_take(others[low:high], tile.other).to(kind), tile.inward), v, plan)
            _take(out[low:high], tile.target).copy_(apply_terms(v, tile.onward))
    return out.view(n, c, *out.shape[1:])


class Tiles:
    """The engine of this file. It keeps x and b, nothing of the raised canvas."""

    name = "plain PyTorch"

    def why_not(self, x: Tensor, plan: Plan) -> str | None:
        """Return None: it serves everything."""
        return None

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        """Return y and what ``linear`` needs."""
        return run(plan, x, b, None, backward=False), (x, b)

    def linear(self, g: Tensor, kept: tuple[Tensor | None, ...], plan: Plan, backward: bool) -> Tensor:
        """Return D (s . U g), or U^T (s . D^T g) where ``backward``."""
        x, b = kept
        assert x is not None
        return run(plan, x, b, g, backward)
