# SPDX-License-Identifier: Apache-2.0
"""Upsample, filter, downsample as one Triton kernel: a sum of (row band, column band) products, tap by tap.

With the bands of bands.py, t = o*down + offset = i*up + m with 0 <= m < up, the samples that result o reads are i - a
under the taps m + a*up, a = 0, 1, ... ceil(L / up) - 1:

    y[o, p] = sum_terms sum_a rows[m_r + a*up_r] sum_b columns[m_c + b*up_c] x[i_r - a, i_c - b]

The gradient is the same kernel over the transposed bands. A block is rows x columns x channels, its longest side along
whichever of columns and channels lies innermost in memory, so that neighbours are read together in either layout.

What bounds it, by count (float16, 4 taps, H100 SXM): 16 multiply-adds and as many loads a result at factor 1 or down 2,
4 at up 2. All but a sample's first load hit L1, at 32 lanes a cycle and multiprocessor 7 T loads/s: 450 G results/s at
16 taps, against 800 G results/s of memory (4 B, 3.35 TB/s): within a factor of two, and in float32 (8 B) at memory's
pace. Toeplitz products as in filtered.py would be ahead in float16 alone. 12 taps at down 2 are 144 loads: 50 G.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from stylegan3.ops.kernels import host
from stylegan3.ops.kernels.host import INTERPRETED
from stylegan3.ops.layout import channels_last, empty_as
from stylegan3.ops.plans import Terms

Shape = tuple[int, int, int, int]  # rows, columns, channels, warps

BLOCKS: dict[bool, tuple[Shape, ...]] = {
    False: ((8, 64, 1, 4), (16, 64, 1, 4), (4, 256, 1, 4)),
    True: ((4, 4, 64, 4), (2, 8, 32, 4), (4, 8, 64, 8)),  # channels innermost
}
INTERPRETER: dict[bool, Shape] = {False: (8, 16, 1, 1), True: (4, 8, 4, 1)}


@triton.jit
def _start(
    first: tl.tensor, count: tl.constexpr, offset: tl.tensor, UP: tl.constexpr, DOWN: tl.constexpr
) -> tuple[tl.tensor, tl.tensor]:
    """Return i and m of results first .. first+count-1; UP // 2 is UP's logarithm for 1, 2 and 4."""
    t = (first + tl.arange(0, count)) * DOWN + offset
    return t >> (UP // 2), t & (UP - 1)


@triton.jit(do_not_specialize=["offset_r", "offset_c"])
def resampled(
    x: tl.tensor, y: tl.tensor, taps: tl.tensor, channels: tl.tensor,
    x_n: tl.tensor, x_c: tl.tensor, x_h: tl.tensor, x_w: tl.tensor,
    y_n: tl.tensor, y_c: tl.tensor, y_h: tl.tensor, y_w: tl.tensor,
    in_h: tl.tensor, in_w: tl.tensor, out_h: tl.tensor, out_w: tl.tensor, offset_r: tl.tensor, offset_c: tl.tensor,
    UP_R: tl.constexpr, DOWN_R: tl.constexpr, TAPS_R: tl.constexpr,
    UP_C: tl.constexpr, DOWN_C: tl.constexpr, TAPS_C: tl.constexpr,
    TERMS: tl.constexpr, SUM: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, CHANNELS: tl.constexpr,
) -> None:  # fmt: skip
    """One block of one picture; x_n .. y_w are strides; taps are each term's rows' and then its columns'."""
    across, down, deep = tl.cdiv(out_w, COLUMNS), tl.cdiv(out_h, ROWS), tl.cdiv(channels, CHANNELS)
    at = tl.program_id(0)
    first_c, at = at % across * COLUMNS, at // across
    first_r, at = at % down * ROWS, at // down
    ch, n = at % deep * CHANNELS + tl.arange(0, CHANNELS), (at // deep).to(tl.int64)
    i, m_r = _start(first_r, ROWS, offset_r, UP_R, DOWN_R)
    j, m_c = _start(first_c, COLUMNS, offset_c, UP_C, DOWN_C)
    source = x + n * x_n + ch[None, None, :] * x_c
    known = (ch < channels)[None, None, :]
    total = tl.zeros((ROWS, COLUMNS, CHANNELS), dtype=SUM)
    for term in tl.static_range(TERMS):
        rows = taps + term * (TAPS_R + TAPS_C)
        for a in range((TAPS_R + UP_R - 1) // UP_R):
            line = tl.zeros((ROWS, COLUMNS, CHANNELS), dtype=SUM)
            seen = ((i - a >= 0) & (i - a < in_h))[:, None, None] & known
            here = source + ((i - a)[:, None, None] * x_h + j[None, :, None] * x_w)
            for b in tl.static_range((TAPS_C + UP_C - 1) // UP_C):
                weight = tl.load(rows + TAPS_R + m_c + b * UP_C, mask=m_c + b * UP_C < TAPS_C, other=0.0)
                inside = seen & ((j - b >= 0) & (j - b < in_w))[None, :, None]
                line += tl.load(here - b * x_w, mask=inside, other=0.0).to(SUM) * weight[None, :, None]
            weight = tl.load(rows + m_r + a * UP_R, mask=m_r + a * UP_R < TAPS_R, other=0.0)
            total += line * weight[:, None, None]
    o, p = first_r + tl.arange(0, ROWS), first_c + tl.arange(0, COLUMNS)
    target = y + n * y_n + ch[None, None, :] * y_c + o[:, None, None] * y_h + p[None, :, None] * y_w
    wanted = (o < out_h)[:, None, None] & (p < out_w)[None, :, None] & known
    tl.store(target, total.to(y.dtype.element_ty), mask=wanted)


def arguments(block: Shape) -> dict[str, int]:
    """Return the kernel's block arguments."""
    return {"ROWS": block[0], "COLUMNS": block[1], "CHANNELS": block[2]}


@lru_cache(maxsize=2)
def tuned(last: bool) -> Any:
    """Return the kernel that measures its blocks once for each size and filter, then runs the fastest; for good."""
    configs = [triton.Config(arguments(block), num_warps=block[3]) for block in BLOCKS[last]]
    keys = ["out_h", "out_w", "channels", "UP_R", "DOWN_R", "TAPS_R"]
    return triton.autotune(configs=configs, key=keys, cache_results=True)(resampled)


def constants(terms: Terms, dtype: torch.dtype) -> dict[str, Any]:
    """Return what a kernel is compiled for, but for its block."""
    rows, columns = terms[0]
    return {
        **{"UP_R": rows.up, "DOWN_R": rows.down, "TAPS_R": len(rows.taps)},
        **{"UP_C": columns.up, "DOWN_C": columns.down, "TAPS_C": len(columns.taps)},
        **{"TERMS": len(terms), "SUM": host.sum_type(dtype)},
    }


def why_not(x: Tensor, terms: Terms) -> str | None:
    """Return why the kernel cannot serve these terms, or None where it can."""
    bands = terms[0]
    factors = {factor for b in bands for factor in (b.up, b.down)}
    if not factors <= {1, 2, 4}:
        return f"factors {sorted(factors)}: 1, 2 and 4 are served"
    return host.unserved(x) or host.too_long(x, (bands[0].n_out, bands[1].n_out))


def resample(x: Tensor, terms: Terms) -> Tensor:
    """Apply a sum of (row band, column band) products to x [N, C, H, W]; the result has the layout of x."""
    rows, columns = terms[0]
    size = (rows.n_out, columns.n_out)
    y = empty_as(x, size)
    if not y.numel():
        return y
    taps = host.taps_of(terms, torch.promote_types(x.dtype, torch.float32), x.device)
    numbers = (x.shape[1], *x.stride(), *y.stride(), *x.shape[2:], *size, rows.offset, columns.offset)
    last, chosen = channels_last(x), constants(terms, x.dtype)
    if INTERPRETED:
        kernel, chosen = resampled, {**chosen, **arguments(INTERPRETER[last])}
    else:
        kernel = tuned(last)

    def grid(block: dict[str, Any]) -> tuple[int]:
        places = triton.cdiv(size[0], block["ROWS"]) * triton.cdiv(size[1], block["COLUMNS"])
        return (places * triton.cdiv(x.shape[1], block["CHANNELS"]) * x.shape[0],)

    with host.on_device(x):
        kernel[grid](x, y, taps, *numbers, **chosen, **host.FUSION)
    return y
