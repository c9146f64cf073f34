# SPDX-License-Identifier: Apache-2.0
"""How a filtered leaky relu is cut into tiles that all share the same small matrices. No triton in here.

Along one axis, with bands A[o, i] = taps[o*down + offset - i*up] (bands.py), a tile of results o0 .. o0+outs-1 reads
the raised samples from r0 = o0*down + offset_d - (L_d - 1) on, and those read the inputs from i0 = ceil((r0 + offset_u
- (L_u - 1)) / up) on. With q, j, o counted from there its matrices are banded with constant diagonals (Toeplitz):

    up:    U[q, j] = taps_u[q + shift - j*up],    shift = r0 + offset_u - i0*up
    down:  D[o, q] = taps_d[o*down + L_d - 1 - q]

A tile further on moves r0 by outs*down. Where that is a multiple of ``up``, shift stays and all tiles are the same
matrices; where it is a multiple of 4, a tile's rows of codes are whole bytes. outs*down is a multiple of 4 always.
Matrix products want sides that are powers of two, from 16 up: the results are as many as the caps hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from stylegan3.ops.plans import Plan

SMALLEST = 16  # side of a tensor core's product


@dataclass(frozen=True)
class Sizes:
    """Factors and filter lengths of a plan: all that decides how many results a tile has."""

    up: int
    down: int
    up_taps: int
    down_taps: int


@dataclass(frozen=True)
class Side:
    """One side of a tile: its results, and the powers of two that hold inputs, raised samples and results."""

    outs: int
    inputs: int
    raised: int
    targets: int


@dataclass(frozen=True)
class Start:
    """Where tile 0 begins on one axis: first raised sample, first input, and the up matrix's shift."""

    raised: int
    first: int
    shift: int


def sizes_of(plan: Plan) -> Sizes:
    """Return the factors and lengths of a separable plan (its rows'; ``unfit`` sees that columns agree)."""
    up, down = plan.up[0][0], plan.down[0][0]
    return Sizes(up.up, down.down, len(up.taps), len(down.taps))


def unfit(plan: Plan) -> str | None:
    """Return why no tiling serves a plan, or None."""
    if not plan.separable:
        return "a filter that is not separable"
    s = sizes_of(plan)
    if not {s.up, s.down} <= {1, 2, 4}:
        return f"up {s.up}, down {s.down}: 1, 2 and 4 are served"
    columns = Sizes(plan.up[0][1].up, plan.down[0][1].down, len(plan.up[0][1].taps), len(plan.down[0][1].taps))
    if columns != s:
        return "filters of unequal length along rows and columns"
    if plan.slope > 1:
        return f"slope {plan.slope}: at most 1 is served"
    if any(start.raised for start in starts(plan)):
        return "padding between the activation and the second filter"
    return None


def power_of_two(n: int) -> int:
    """Return the smallest side of a product that holds n."""
    return max(SMALLEST, 1 << (n - 1).bit_length())


def side(sizes: Sizes, inputs: int, raised: int) -> Side | None:
    """Return the longest side of a tile within ``inputs`` inputs and ``raised`` raised samples; None where none fits.

    The raised samples reach down-1 beyond the last result's, so that the last tile has the codes to the canvas's end.
    One input is spare: the kernel's bias.
    """
    step = 4 // min(4, sizes.down)
    for outs in range(raised // sizes.down // step * step, 0, -step):
        reach = outs * sizes.down + sizes.down_taps - 1
        reads = (reach + sizes.up_taps - 2) // sizes.up + 1
        if reach <= raised and reads < inputs:
            return Side(outs, power_of_two(reads + 1), power_of_two(reach), power_of_two(outs))
    return None


def starts(plan: Plan) -> tuple[Start, Start]:
    """Return where tile 0 begins along rows and along columns."""
    found = []
    for up, down in zip(plan.up[0], plan.down[0], strict=True):
        raised = down.offset - (len(down.taps) - 1)
        first = -((len(up.taps) - 1 - raised - up.offset) // up.up)
        found.append(Start(raised, first, raised + up.offset - first * up.up))
    return found[0], found[1]
