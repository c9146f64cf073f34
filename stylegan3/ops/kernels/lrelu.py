# SPDX-License-Identifier: Apache-2.0
"""The engine of filtered.py's kernel: tilings, launch and what is kept.

It keeps 2 bits a raised sample (plans.py) and nothing else, so that x may be freed before the gradient.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import triton
from torch import Tensor

from stylegan3.ops.kernels import host
from stylegan3.ops.kernels.filtered import filtered
from stylegan3.ops.kernels.geometry import Sizes, side, sizes_of, starts, unfit
from stylegan3.ops.kernels.host import INTERPRETED
from stylegan3.ops.layout import empty_as
from stylegan3.ops.plans import Plan

Kept = tuple[Tensor | None, ...]
Caps = tuple[tuple[int, int], tuple[int, int], int, int]

# Tilings that a card picks from: caps (inputs, raised) of rows and of columns, planes a program, warps. On Hopper four
# warps share a product of 64 rows and eight one of 128; eight on 64 would do it twice. Float32 takes twice the
# registers: tiles larger than these spill (aot.py prints it).
HALF: tuple[Caps, ...] = (
    ((64, 64), (64, 64), 8, 4),
    ((32, 64), (32, 64), 8, 4),
    ((64, 128), (64, 64), 8, 8),
)
SINGLE: tuple[Caps, ...] = (
    ((32, 32), (32, 32), 8, 4),
    ((32, 32), (32, 64), 8, 8),
    ((32, 64), (32, 64), 8, 8),
)
INTERPRETER: Caps = ((32, 32), (32, 64), 2, 1)  # small, so that small canvases have several tiles


def arguments(sizes: Sizes, caps: Caps) -> dict[str, int] | None:
    """Return the kernel's tile arguments under these caps; None where not even the shortest tile fits."""
    rows, columns = side(sizes, *caps[0]), side(sizes, *caps[1])
    if rows is None or columns is None:
        return None
    return {
        **{"OUT_R": rows.outs, "IN_R": rows.inputs, "RAISED_R": rows.raised, "TARGET_R": rows.targets},
        **{"OUT_C": columns.outs, "IN_C": columns.inputs, "RAISED_C": columns.raised, "TARGET_C": columns.targets},
        "PLANES": caps[2],
    }


@lru_cache(maxsize=64)
def configs(sizes: Sizes, dtype: torch.dtype) -> list[triton.Config]:
    """Return the tilings that hold a plan of these sizes, each once."""
    found = ((arguments(sizes, caps), caps[3]) for caps in (HALF if dtype.itemsize == 2 else SINGLE))
    tilings = {(tuple(a.items()), warps) for a, warps in found if a is not None}
    return [triton.Config(dict(a), num_warps=warps, num_stages=2) for a, warps in sorted(tilings)]


@lru_cache(maxsize=64)
def tuned(sizes: Sizes, dtype: torch.dtype) -> Any:
    """Return the kernel that measures its tilings once for each canvas and mode, then runs the fastest; for good."""
    keys = ["out_h", "out_w", "READ", "WRITE"]
    return triton.autotune(configs=configs(sizes, dtype), key=keys, cache_results=True)(filtered)


def constants(plan: Plan, dtype: torch.dtype, bias: bool, read: bool, write: bool) -> dict[str, Any]:
    """Return what a kernel is compiled for, but for its tile."""
    s = sizes_of(plan)
    return {
        **{"UP": s.up, "DOWN": s.down, "UP_TAPS": s.up_taps, "DOWN_TAPS": s.down_taps},
        **{"SLOPE": plan.slope, "CLAMP": plan.clamp, "BIAS": bias, "READ": read, "WRITE": write},
        **host.arithmetic(dtype),
    }


def run(plan: Plan, x: Tensor, b: Tensor | None, codes: Tensor | None, read: bool) -> Tensor:
    """Run the pass: D phi(U (x + b)) with codes written where given, or D (s . U x) where ``read``."""
    planes = x.shape[0] * x.shape[1]
    y = empty_as(x, plan.size)
    if not planes:
        return y
    rows, columns = starts(plan)
    taps = host.taps_of(plan.up + plan.down, torch.promote_types(x.dtype, torch.float32), x.device)
    pointers = (x, y, x if codes is None else codes, x if b is None else b, taps)
    numbers = (planes, x.shape[1], *x.stride(), *y.stride(), *x.shape[2:], *plan.raised, *plan.size)
    place = (rows.raised, columns.raised, rows.first, columns.first, rows.shift, columns.shift)
    chosen = constants(plan, x.dtype, b is not None, read, codes is not None and not read)
    sizes = sizes_of(plan)
    if INTERPRETED:
        kernel, chosen = filtered, {**chosen, **(arguments(sizes, INTERPRETER) or {})}
    else:
        kernel = tuned(sizes, x.dtype)

    def grid(tile: dict[str, Any]) -> tuple[int]:
        places = triton.cdiv(plan.size[0], tile["OUT_R"]) * triton.cdiv(plan.size[1], tile["OUT_C"])
        return (places * triton.cdiv(planes, tile["PLANES"]),)

    with host.on_device(x):
        kernel[grid](*pointers, *numbers, *place, **chosen, **host.FUSION)
    return y


class TritonLrelu:
    """Runs the pass of filtered_lrelu.py as one kernel over codes."""

    name = "Triton kernel"

    def why_not(self, x: Tensor, plan: Plan) -> str | None:
        """Return why this engine cannot serve a forward plan, or None where it can."""
        reason = host.unserved(x) or host.too_long(x, plan.raised, plan.size) or unfit(plan)
        if reason is None and not all(configs(sizes_of(p), x.dtype) for p in (plan, plan.transposed)):
            return f"filters of {len(plan.up[0][0].taps)} and {len(plan.down[0][0].taps)} taps: too long for a tile"
        return reason

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, Kept]:
        """Return y and, where ``keep``, the codes."""
        if not keep:
            return run(plan, x, b, None, read=False), ()
        high, wide = plan.raised
        shape = (x.shape[0] * x.shape[1], (high + 3) // 4, wide)
        codes = torch.empty(shape, dtype=torch.uint8, device=x.device)
        return run(plan, x, b, codes, read=False), (codes,)

    def linear(self, g: Tensor, kept: Kept, plan: Plan, backward: bool) -> Tensor:
        """Return D (s . U g), or U^T (s . D^T g) where ``backward``."""
        return run(plan.transposed if backward else plan, g, None, kept[0], read=True)
