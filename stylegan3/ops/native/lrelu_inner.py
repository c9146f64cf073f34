# SPDX-License-Identifier: Apache-2.0
"""The filtered leaky relu of pictures whose channels lie innermost, in C++ (lrelu_inner.cpp)."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from math import inf

import numpy as np
import torch
from torch import Tensor

from stylegan3.ops.blocks import WIDTH
from stylegan3.ops.layout import channels_last
from stylegan3.ops.native import cpu
from stylegan3.ops.native.tables import Rows, axes_for
from stylegan3.ops.plans import Plan

LANES = WIDTH  # channels of a vector
TAPS = 6  # of a phase
SIDE = 32  # columns beside a row that filters may read; as in lrelu_inner.cpp
KINDS = (torch.float32, torch.bfloat16)
FACTORS = ((2, 2), (4, 2), (2, 4))


class Inner(ctypes.Structure):
    """Inner of lrelu_inner.cpp; keeps the arrays that it points to."""

    _fields_ = [("rows", Rows), ("columns", Rows), ("slope", ctypes.c_double), ("clamp", ctypes.c_double)]
    arrays: list[np.ndarray]


@lru_cache(maxsize=1024)
def pass_for(plan: Plan) -> Inner:
    """Return a plan's tables; made once."""
    rows, columns, arrays = axes_for(plan)
    made = Inner(rows, columns, plan.slope, inf if plan.clamp is None else plan.clamp)
    made.arrays = arrays
    return made


@lru_cache(maxsize=1024)
def takes(plan: Plan) -> bool:
    """Return whether a plan and its transpose are ones that are served: with the filters of StyleGAN3's networks."""
    if not plan.separable or not 0 < plan.slope <= 1:
        return False
    pairs = [(up, down) for one in (plan, plan.transposed) for up, down in zip(one.up[0], one.down[0], strict=True)]
    for up, down in pairs:
        if (up.up, down.down) not in FACTORS or len(up.taps) != TAPS * up.up or len(down.taps) != TAPS * down.down:
            return False
        if not all(
            np.allclose(band.taps, band.taps[::-1], rtol=0, atol=2**-23 * max(band.taps)) for band in (up, down)
        ):
            return False
        base = down.offset - (len(down.taps) - 1)
        last = (down.n_out - 1) * down.down + base + len(down.taps)
        if (
            up.offset < 0
            or base < -SIDE
            or last > down.n_in + SIDE
            or (up.n_out - 1 + up.offset) // up.up >= up.n_in + SIDE
        ):
            return False
    # every raised row is read, and four of them begin a byte of codes
    rows_up, rows_down = plan.up[0][0], plan.down[0][0]
    taps = len(rows_down.taps)
    return rows_down.offset == taps - 1 and (rows_down.n_out - 1) * rows_down.down + taps == rows_up.n_out


def serves(x: Tensor, plan: Plan) -> bool:
    """Return whether a tensor and a plan are served: pictures whose channels fill a vector."""
    return x.dtype in KINDS and channels_last(x) and x.shape[1] >= LANES and takes(plan)


def codes_for(x: Tensor, plan: Plan) -> Tensor:
    """Return room for the codes of a tensor's groups of channels: uint8 [N groups, ceil(R / 4), R', 16]."""
    rows, columns = plan.raised
    planes = len(x) * -(-x.shape[1] // LANES)
    return torch.empty(planes, -(-rows // 4), columns, LANES, dtype=torch.uint8, device=x.device)


def are_codes(codes: Tensor) -> bool:
    """Return whether codes are those of `codes_for`, not of planes."""
    return codes.ndim == 4


def run(x: Tensor, b: Tensor | None, codes: Tensor | None, plan: Plan, mode: int) -> Tensor:
    """Run a pass; ``b`` are the channels' biases of as many pictures in turn as it has."""
    # said so, as pictures of one place lie both ways
    y = torch.empty(*x.shape[:2], *plan.size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    bias = None if b is None else b.detach().float().contiguous()
    addresses = [None if t is None else t.data_ptr() for t in (x, bias, codes, y)]
    cpu.library().lrelu_inner(
        ctypes.byref(pass_for(plan)), mode, cpu.KINDS[x.dtype], *addresses, len(x), x.shape[1],
        1 if bias is None else len(bias), torch.get_num_threads(),
    )  # fmt: skip
    return y
