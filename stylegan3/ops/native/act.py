# SPDX-License-Identifier: Apache-2.0
"""The maps of pointwise.py in C++ (act.cpp): float32, float64 and bfloat16 pictures in either layout."""

from __future__ import annotations

import ctypes
from math import inf

import torch
from torch import Tensor

from stylegan3.ops.layout import channels_last
from stylegan3.ops.native import cpu
from stylegan3.ops.pointwise import Act, Four, Scaled, Styled, Wanted, as_like, wide

PLACES = 4096  # of a picture in a block: whole pages of a channel, and enough blocks for the threads of large pictures


class End(ctypes.Structure):
    """End of act.cpp."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("pictures", "channels", "area", "inner", "own", "block")),
        *((name, ctypes.c_double) for name in ("slope", "gain", "clamp")),
    ]


def _end(y: Tensor, levels: int, act: Act) -> End:
    n, channels, height, width = y.shape
    bound = act.bound(y.dtype)
    return End(
        n, channels, height * width, channels_last(y), levels == n, PLACES,
        act.slope, act.gain, inf if bound is None else bound,
    )  # fmt: skip


def _addresses(*tensors: Tensor | None) -> list[int | None]:
    return [None if t is None else t.data_ptr() for t in tensors]


def _dense(t: Tensor | None, like: Tensor) -> Tensor | None:
    return None if t is None else t.to(wide(like.dtype)).contiguous()


class CpuMaps:
    """pointwise.Maps on the CPU."""

    def value(
        self,
        conv: Tensor,
        d: Tensor | None,
        level: Tensor | None,
        bias: Tensor | None,
        act: Act,
        to: torch.memory_format,
    ) -> Tensor:
        """Return phi(conv d + level + bias)."""
        y = self._results((conv, d, level, bias), (None, None), None, torch.empty_like(conv), act)
        return y.contiguous(memory_format=to)

    def tangent(self, change: Four, conv: Tensor | None, d: Tensor | None, y: Tensor, act: Act) -> Tensor:
        """Return s (u d + conv v + l + b)."""
        u, v, level, b = change
        second = (None, None) if v is None else (conv, _dense(v, y))
        first, known = (u, _dense(d, y), _dense(level, y), _dense(b, y)), None if act.linear else y
        return self._results(first, second, known, torch.empty_like(y), act)

    def _results(
        self, first: Four, second: tuple[Tensor | None, Tensor | None], known: Tensor | None, to: Tensor, act: Act
    ) -> Tensor:
        x, d, level, bias = first
        end = _end(to, 0 if level is None else len(level), act)
        cpu.library().act_results(
            ctypes.byref(end), cpu.KINDS[to.dtype], *_addresses(x, d, *second, level, bias, known, to),
            torch.get_num_threads(),
        )  # fmt: skip
        return to

    def gradients(self, g: Tensor, conv: Tensor | None, d: Tensor | None, y: Tensor, wanted: Wanted, act: Act) -> Four:
        """Return (s g d, sum_hw s g conv, sum_o s g, sum_nhw s g), None for what isn't wanted."""
        g, d, kind = as_like(g, y), _dense(d, y), wide(y.dtype)
        found = (
            torch.empty_like(y) if wanted.conv else None,
            y.new_empty(y.shape[:2], dtype=kind) if wanted.d else None,
            y.new_empty(wanted.levels, 1, *y.shape[2:], dtype=kind) if wanted.levels else None,
            y.new_empty(y.shape[1], dtype=kind) if wanted.bias else None,
        )
        known = None if act.linear else y
        cpu.library().act_gradients(
            ctypes.byref(_end(y, wanted.levels, act)), cpu.KINDS[y.dtype], *_addresses(g, conv, d, known, *found),
            torch.get_num_threads(),
        )  # fmt: skip
        return found


def why_not(conv: Tensor) -> str | None:
    """Return why a convolution's result can't be served, or None where it can."""
    return None if conv.dtype in cpu.KINDS else f"it takes no {conv.dtype}"


styled, scaled = Styled(CpuMaps()), Scaled(CpuMaps())
