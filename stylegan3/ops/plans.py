# SPDX-License-Identifier: Apache-2.0
"""What a filtered leaky relu is made of: two resamplings and what lies between, for one size of canvas.

    y = D phi(U (x + b)),    phi(v) = clamp(leaky_relu(v))       U, D: sums of (row band, column band), see bands.py

A gain > 0 stands in U. Kernels keep phi' for the gradient as *codes*, 2 bits a raised sample: 0 where phi' is 1, 1
where it is the slope, 2 where the result is clamped and phi' is 0. Four rows share a byte, so that columns stay
neighbours:

    codes[p, r // 4, c] = sum over r of  code[p, r, c] << 2 (r % 4)           uint8 [N C, ceil(R / 4), R']
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from stylegan3.ops.bands import band
from stylegan3.ops.resampling import Taps, Terms, axis_band, separated, transposed


@dataclass(frozen=True, eq=False)
class Plan:
    """Both resamplings of one canvas size, with slope and clamp; compared by identity."""

    up: Terms
    down: Terms
    slope: float
    clamp: float | None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the result."""
        return self.down[0][0].n_out, self.down[0][1].n_out

    @property
    def raised(self) -> tuple[int, int]:
        """Rows and columns between the resamplings, R x R'."""
        return self.up[0][0].n_out, self.up[0][1].n_out

    @property
    def separable(self) -> bool:
        """Whether each resampling is one product of a row and a column band."""
        return len(self.up) == len(self.down) == 1

    @cached_property
    def transposed(self) -> Plan:
        """Return the plan of gradients, U^T (s . D^T g): both resamplings transposed and exchanged."""
        return Plan(transposed(self.down), transposed(self.up), self.slope, self.clamp)


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


@lru_cache(maxsize=512)
def resampling_plan(terms: Terms) -> Plan:
    """Return the plan of a resampling alone, which stands before or after the place of phi; see Plan."""
    falls = terms[0][0].down > 1 or terms[0][1].down > 1
    rows, columns = (b.n_in if falls else b.n_out for b in terms[0])
    still = ((band((1.0,), 1, 1, 0, rows, rows), band((1.0,), 1, 1, 0, columns, columns)),)
    return Plan(still, terms, 1.0, None) if falls else Plan(terms, still, 1.0, None)


def pack(codes: Tensor) -> Tensor:
    """Pack codes 0, 1, 2, four rows a byte. Shape: uint8 [P, R, R'] -> uint8 [P, ceil(R / 4), R']."""
    p, rows, columns = codes.shape
    padded = torch.nn.functional.pad(codes, (0, 0, 0, -rows % 4)).view(p, -1, 4, columns)
    return (padded << torch.arange(0, 8, 2, dtype=torch.uint8, device=codes.device)[:, None]).sum(2, dtype=torch.uint8)


def unpack(packed: Tensor, rows: int) -> Tensor:
    """Undo pack."""
    shifts = torch.arange(0, 8, 2, dtype=torch.uint8, device=packed.device)[:, None]
    return ((packed[:, :, None] >> shifts) & 3).flatten(1, 2)[:, :rows]
