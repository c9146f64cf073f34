# SPDX-License-Identifier: Apache-2.0
"""One pass of a filtered leaky relu as a task for blocks of threads (lrelu_tile.h): addresses, strides and tables.

Tensors come with any strides. The result lies as its input does: channels innermost where they are there.
"""

from __future__ import annotations

import ctypes
from typing import Protocol

import torch
from torch import Tensor

from stylegan3.ops.layout import empty_as
from stylegan3.ops.native.tables import Rows, axes_for
from stylegan3.ops.native.tables import why_not as no_tables
from stylegan3.ops.plans import Plan

KINDS = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
ACTIVATE, ACTIVATE_AND_KEEP, MULTIPLY = range(3)

Tile = tuple[int, int]
CHOSEN: Tile = (0, 0)  # by the launcher


class Task(ctypes.Structure):
    """Task of lrelu_tile.h."""

    _fields_ = [
        ("rows", Rows), ("columns", Rows), ("slope", ctypes.c_double), ("clamp", ctypes.c_double),
        ("mode", ctypes.c_int32), ("kind", ctypes.c_int32), ("tile_rows", ctypes.c_int32),
        ("tile_columns", ctypes.c_int32), ("planes", ctypes.c_int64), ("channels", ctypes.c_int64),
        ("x_strides", ctypes.c_int64 * 4), ("y_strides", ctypes.c_int64 * 4), ("x", ctypes.c_void_p),
        ("bias", ctypes.c_void_p), ("codes", ctypes.c_void_p), ("y", ctypes.c_void_p),
    ]  # fmt: skip


class Launcher(Protocol):
    """What starts a task on the device of a tensor."""

    def __call__(self, task: Task, on: Tensor) -> None:
        """Start the task."""


def why_not(x: Tensor, plan: Plan) -> str | None:
    """Return why a tensor and a plan can't be a task; None where they can."""
    return no_tables(plan) if x.dtype in KINDS else f"it takes no {x.dtype}"


def _address(t: Tensor | None) -> int | None:
    return None if t is None else t.data_ptr()


class Blocks:
    """The engine of blocks of threads, whoever launches them; keeps codes, 2 bits a raised sample."""

    name = "blocks of threads"

    def __init__(self, launch: Launcher, tile: Tile = CHOSEN) -> None:
        self._launch, self._tile = launch, tile

    def why_not(self, x: Tensor, plan: Plan) -> str | None:
        """Return why a tensor and a plan can't be served; None where they can."""
        return why_not(x, plan)

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        """Return y and the codes."""
        rows, columns = plan.raised
        size = (x.shape[0] * x.shape[1], -(-rows // 4), columns)
        codes = x.new_empty(size, dtype=torch.uint8) if keep else None
        return self._run(x, b, codes, plan, ACTIVATE_AND_KEEP if keep else ACTIVATE), (codes,)

    def linear(self, g: Tensor, kept: tuple[Tensor | None, ...], plan: Plan, backward: bool) -> Tensor:
        """Return D (s . U g), or U^T (s . D^T g) where ``backward``."""
        return self._run(g, None, kept[0], plan.transposed if backward else plan, MULTIPLY)

    def _run(self, x: Tensor, b: Tensor | None, codes: Tensor | None, plan: Plan, mode: int) -> Tensor:
        y = empty_as(x, plan.size)
        bias = None if b is None else b.detach().to(torch.promote_types(x.dtype, torch.float32)).contiguous()
        rows, columns, _kept_alive = axes_for(plan)
        task = Task(
            rows, columns, plan.slope, torch.inf if plan.clamp is None else plan.clamp, mode, KINDS[x.dtype],
            *self._tile, x.shape[0] * x.shape[1], x.shape[1], (ctypes.c_int64 * 4)(*x.stride()),
            (ctypes.c_int64 * 4)(*y.stride()), _address(x), _address(bias), _address(codes), _address(y),
        )  # fmt: skip
        if y.numel():
            self._launch(task, x)
        return y
