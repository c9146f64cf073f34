# SPDX-License-Identifier: Apache-2.0
"""A plan as tables of offsets and weights that C++ reads (lrelu.h).

With the bands A[o, i] = taps[o down + offset - i up] (bands.py), n taps each,

    raised[r] = sum_k taps_u[e + k up] x[floor((r + offset_u) / up) - k],    e = (r + offset_u) mod up
    y[o]      = sum_k taps_d[n - 1 - k] raised[o down + base + k],           base = offset_d - (n - 1).

Along columns, neighbours in memory must be neighbours in the sum. With P = max(up, down) phases, r = base + P m + p,
the remainder e and the fraction of floor(.) depend on p alone, and S = P / up inputs pass while m grows by one. So x,
raised and y are split into S, P and Q = P / down phases, and each sum reads runs of consecutive m.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from math import inf

import numpy as np

from stylegan3.ops.bands import Band
from stylegan3.ops.plans import Plan

FACTORS = (1, 2, 4)
MOST = 64  # terms of a sum, and taps filled up to a multiple of the factor; as in lrelu.cpp and lrelu_tile.h
LANES = 16  # a raised phase is whole vectors of so many, so that two can be made at once


def _fields(kind: type[ctypes._SimpleCData], names: str) -> list[tuple[str, type]]:
    return [(name, kind) for name in names.split()]


class Columns(ctypes.Structure):
    """Columns of lrelu.h."""

    _fields_ = [
        *_fields(ctypes.c_int32, "n_in n_raised n_out first base s p q width_in width_raised width_out"),
        *_fields(ctypes.c_int32, "taps_up taps_down"),
        *_fields(ctypes.c_void_p, "offsets_up offsets_down weights_up weights_down"),
    ]


class Rows(ctypes.Structure):
    """Rows of lrelu.h."""

    _fields_ = [
        *_fields(ctypes.c_int32, "n_in n_raised n_out up down offset base taps_up taps_down"),
        *_fields(ctypes.c_void_p, "weights_up weights_down"),
    ]


class Pass(ctypes.Structure):
    """Pass of lrelu.h; keeps the arrays that it points to."""

    _fields_ = [("rows", Rows), ("columns", Columns), ("slope", ctypes.c_double), ("clamp", ctypes.c_double)]
    arrays: list[np.ndarray]


def polyphase(band: Band) -> np.ndarray:
    """Return the weights [up, K] of a band's upsampling: [e, k] = taps[e + k up]."""
    taps = np.asarray(band.taps)
    padded = np.pad(taps, (0, -len(taps) % band.up))
    return np.ascontiguousarray(padded.reshape(-1, band.up).T)


class _Arrays:
    """Keeps arrays and hands out their addresses."""

    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []

    def address(self, values: np.ndarray, kind: type) -> int:
        self.kept.append(np.ascontiguousarray(values, dtype=kind))
        return self.kept[-1].ctypes.data


def _rows(u: Band, d: Band, arrays: _Arrays) -> Rows:
    weights = polyphase(u)
    base = d.offset - (len(d.taps) - 1)
    return Rows(
        u.n_in, u.n_out, d.n_out, u.up, d.down, u.offset, base, weights.shape[1], len(d.taps),
        arrays.address(weights, np.float64), arrays.address(np.asarray(d.taps[::-1]), np.float64),
    )  # fmt: skip


def _whole(n: int) -> int:
    return -(-n // LANES) * LANES


def _columns(u: Band, d: Band, arrays: _Arrays) -> Columns:
    p = max(u.up, d.down)
    s, q = p // u.up, p // d.down
    weights, n = polyphase(u), len(d.taps)
    taps_up, base = weights.shape[1], d.offset - (n - 1)
    phases, k = np.arange(p), np.arange(taps_up)
    first = (base + u.offset) // u.up - (taps_up - 1)
    index = ((base + u.offset + phases) // u.up - first)[:, None] - k  # of x, where m = 0
    read = np.arange(q)[:, None] * d.down + np.arange(n)  # raised samples of an output, where m = 0
    width_out = -(-d.n_out // q)
    width_raised = _whole(width_out + int(read.max()) // p)
    width_in = _whole(width_raised + int(index.max()) // s)
    return Columns(
        u.n_in, u.n_out, d.n_out, first, base, s, p, q, width_in, width_raised, width_out, taps_up, n,
        arrays.address(index % s * width_in + index // s, np.int32),
        arrays.address(read % p * width_raised + read // p, np.int32),
        arrays.address(weights[(base + u.offset + phases) % u.up], np.float64),
        arrays.address(np.tile(np.asarray(d.taps[::-1]), (q, 1)), np.float64),
    )  # fmt: skip


@lru_cache(maxsize=1024)
def tables_for(plan: Plan) -> Pass:
    """Return a plan's tables; made once."""
    (rows_up, columns_up), (rows_down, columns_down) = plan.up[0], plan.down[0]
    arrays = _Arrays()
    made = Pass(
        _rows(rows_up, rows_down, arrays),
        _columns(columns_up, columns_down, arrays),
        plan.slope,
        inf if plan.clamp is None else plan.clamp,
    )
    made.arrays = arrays.kept
    return made


@lru_cache(maxsize=1024)
def axes_for(plan: Plan) -> tuple[Rows, Rows, list[np.ndarray]]:
    """Return the tables of rows and columns, both without phases, and the arrays that they point to; made once."""
    (rows_up, columns_up), (rows_down, columns_down) = plan.up[0], plan.down[0]
    arrays = _Arrays()
    return _rows(rows_up, rows_down, arrays), _rows(columns_up, columns_down, arrays), arrays.kept


def why_not(plan: Plan) -> str | None:
    """Return why a plan can't be written as tables; None where it can."""
    if not plan.separable:
        return "its filter is not separable"
    bands = (*plan.up[0], *plan.down[0])
    if any(b.up not in FACTORS or b.down not in FACTORS for b in bands):
        return "it resamples by another factor than 1, 2 or 4"
    longest = max(-(-len(b.taps) // f) * f for b in bands for f in (b.up, b.down))
    if longest > MOST:
        return f"a filter has {longest} taps, more than {MOST}"
    return None
