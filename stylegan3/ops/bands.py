# SPDX-License-Identifier: Apache-2.0
"""Resampling along one axis as a banded matrix: the one linear map beneath every filter of this package.

Inserting zeros (factor ``up``), padding or cropping, convolving with ``taps`` and keeping each ``down``-th sample is
linear in the samples. Written out,

    y[o] = sum_i A[o, i] x[i],    A[o, i] = taps[o*down + offset - i*up]   (0 outside the taps),

so zeros are never multiplied and dropped samples never made. The transposed matrix has the same form: up and down
swapped, taps reversed. Hence the gradient of a resampling is a resampling, to any order.
On a CPU a product of small dense matrices beats both a direct convolution with one channel and a longer banded
product; long axes are therefore cut into windows, each with its own small matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

WINDOW = 96  # outputs a window: fastest of 32..256 on two cores at axes of 84 to 1076
DENSE = 192  # axes up to this length are one dense matrix


@dataclass(frozen=True, eq=False)
class Band:
    """One resampling along one axis; see the head of this file. Made by band(), compared by identity."""

    taps: tuple[float, ...]
    up: int
    down: int
    offset: int
    n_in: int
    n_out: int
    _matrices: dict[tuple[torch.dtype, torch.device], Tensor] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def transposed(self) -> Band:
        """Return the map of gradients: the transposed matrix."""
        last = len(self.taps) - 1
        return band(self.taps[::-1], self.down, self.up, last - self.offset, self.n_out, self.n_in)

    def inputs_of(self, low: int, high: int) -> tuple[int, int]:
        """Return the range of inputs that outputs low..high-1 read (clipped to the axis, at least one sample)."""
        first = -((len(self.taps) - 1 - low * self.down - self.offset) // self.up)
        last = ((high - 1) * self.down + self.offset) // self.up
        first = min(max(first, 0), self.n_in - 1)
        return first, min(max(last, first), self.n_in - 1) + 1

    def window(self, out: tuple[int, int], inputs: tuple[int, int]) -> Band:
        """Return the block of the matrix with these rows (outputs) and columns (inputs)."""
        offset = self.offset + out[0] * self.down - inputs[0] * self.up
        return band(self.taps, self.up, self.down, offset, inputs[1] - inputs[0], out[1] - out[0])

    @cached_property
    def identity(self) -> bool:
        """Whether the matrix is the identity."""
        return self.taps == (1.0,) and self.up == self.down == 1 and self.offset == 0 and self.n_in == self.n_out

    @cached_property
    def windows(self) -> tuple[tuple[int, int, Band], ...]:
        """Cut the outputs into windows: (first input, end of inputs, matrix of the window)."""
        if self.n_in <= DENSE and self.n_out <= DENSE * max(1, self.up // self.down):
            return ((0, self.n_in, self),)
        spans = span(self.n_out, WINDOW * self.up // max(self.up, self.down)) if self.n_out else iter(())
        cuts = ((out, self.inputs_of(*out)) for out in spans)
        return tuple((i[0], i[1], self.window(out, i)) for out, i in cuts)

    def matrix(self, like: Tensor) -> Tensor:
        """Return A [n_out, n_in] in the type and on the device of a tensor; made once."""
        key = (like.dtype, like.device)
        if key not in self._matrices:
            o, i = np.arange(self.n_out)[:, None], np.arange(self.n_in)[None, :]
            k = o * self.down + self.offset - i * self.up
            inside = (k >= 0) & (k < len(self.taps))
            dense = np.where(inside, np.asarray(self.taps)[np.clip(k, 0, len(self.taps) - 1)], 0.0)
            with torch.inference_mode(False):
                self._matrices[key] = torch.tensor(dense, dtype=like.dtype, device=like.device)
        return self._matrices[key]


def span(length: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of at most ``step`` that cover 0..length-1."""
    for low in range(0, length, max(step, 1)):
        yield low, min(low + max(step, 1), length)


@lru_cache(maxsize=4096)
def band(taps: tuple[float, ...], up: int, down: int, offset: int, n_in: int, n_out: int) -> Band:
    """Return the band of these numbers, the same object (with its matrices) each time."""
    return Band(taps, up, down, offset, n_in, n_out)


def along_columns(x: Tensor, b: Band) -> Tensor:
    """Resample the last axis of x [P, H, W]."""
    if b.identity:
        return x
    if len(b.windows) == 1:
        return torch.matmul(x, b.matrix(x).t())
    out = x.new_empty(*x.shape[:-1], b.n_out)
    at = 0
    for low, high, part in b.windows:
        out[..., at : at + part.n_out] = torch.matmul(x[..., low:high], part.matrix(x).t())
        at += part.n_out
    return out


def along_rows(x: Tensor, b: Band) -> Tensor:
    """Resample the middle axis of x [P, H, W]."""
    if b.identity:
        return x
    if len(b.windows) == 1:
        return torch.bmm(b.matrix(x).expand(x.shape[0], -1, -1), x)
    out = x.new_empty(x.shape[0], b.n_out, x.shape[2])
    at = 0
    for low, high, part in b.windows:
        out[:, at : at + part.n_out] = torch.bmm(part.matrix(x).expand(x.shape[0], -1, -1), x[:, low:high])
        at += part.n_out
    return out
