# SPDX-License-Identifier: Apache-2.0
"""Resampling of pictures whose channels lie innermost, in C++ (inner.cpp)."""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from stylegan3.ops.bands import Band
from stylegan3.ops.layout import channels_last, empty_as
from stylegan3.ops.native import cpu
from stylegan3.ops.native.tables import MOST
from stylegan3.ops.resampling import Terms

CHANNELS = 16  # with 12, a copy to planes and back is 3 times as fast, with 4 even 8 times


class Axis(ctypes.Structure):
    """Axis of inner.cpp; keeps the arrays that it points to."""

    _fields_ = [
        *[(name, ctypes.c_int32) for name in ("n_in", "n_out", "taps")],
        *[(name, ctypes.c_void_p) for name in ("first", "weights")],
    ]
    arrays: tuple[np.ndarray, np.ndarray]


def reach(band: Band) -> int:
    """Return how many inputs an output reads at most."""
    return min(-(-len(band.taps) // band.up), band.n_in)


@lru_cache(maxsize=1024)
def axis_for(band: Band) -> Axis:
    """Return a band's first inputs [n_out] and their weights [n_out, K]; made once."""
    at, k = np.arange(band.n_out) * band.down + band.offset, reach(band)
    first = np.clip(-((len(band.taps) - 1 - at) // band.up), 0, band.n_in - k).astype(np.int32)
    tap = at[:, None] - (first[:, None] + np.arange(k)) * band.up
    inside = (tap >= 0) & (tap < len(band.taps))
    weights = np.where(inside, np.asarray(band.taps)[np.clip(tap, 0, len(band.taps) - 1)], 0.0)
    made = Axis(band.n_in, band.n_out, k, first.ctypes.data, weights.ctypes.data)
    made.arrays = (first, weights)
    return made


def serves(x: Tensor, terms: Terms) -> bool:
    """Return whether this resampling takes a tensor and terms: one whose channels lie innermost and fill a register."""
    served = channels_last(x) and x.shape[1] >= CHANNELS and x.dtype in cpu.KINDS
    return served and len(terms) == 1 and all(reach(band) <= MOST for band in terms[0])


def resample(x: Tensor, terms: Terms) -> Tensor:
    """Apply a (row band, column band) product to pictures [N, C, H, W], channels innermost, leaving them there."""
    ((rows, columns),) = terms
    y = empty_as(x, (rows.n_out, columns.n_out))
    cpu.library().resample_inner(
        ctypes.byref(axis_for(rows)), ctypes.byref(axis_for(columns)), cpu.KINDS[x.dtype], x.data_ptr(), y.data_ptr(),
        len(x), x.shape[1], torch.get_num_threads(),
    )  # fmt: skip
    return y
