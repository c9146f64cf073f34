# SPDX-License-Identifier: Apache-2.0
"""The Triton kernel of the filtered leaky relu: y = D phi(U (x + b)), or D (s . U g) with s read from codes.

A program owns one place of the canvas, a tile (geometry.py), and does it for several planes one after the other, so
that the four Toeplitz matrices are made once. For one plane, X the inputs of the tile (zero outside the canvas):

    V = U_r X U_c^T,    V <- phi(V) and its codes, or s . V,    Y = D_r (V D_c^T)

four small matrix products on the tensor cores, accumulated in float32, with no raised sample written to memory but its
2-bit code. The gradient U^T (s . D^T g) is the same kernel over ``plan.transposed``.

What bounds it, by count (float16, 2/2, 12 taps, tile 26x26 of 64x64 raised, H100 SXM): products padded to powers of two
cost 4 x 64^3-ish = 721 k multiply-adds a tile, 1066 a result; memory moves 2 B in (x1.5 at the seams, which L2 serves),
2 B out and 1 B of codes. At half of the card's 495 T multiply-adds/s that is 230 G results/s, against 670 G results/s
of 3.35 TB/s: the tensor cores bound it, and an H200's faster memory changes little. Float32 ("ieee") has no tensor core:
33 T multiply-adds/s at best, 30 G results/s.
"""

from __future__ import annotations

import triton
import triton.language as tl

PLACE = ("raised_r", "raised_c", "first_r", "first_c", "shift_r", "shift_c")  # of a Start each; any integers

@triton.jit
def _toeplitz(taps, high: tl.constexpr, wide: tl.constexpr, down: tl.constexpr, up: tl.constexpr, shift, length):
    """M[a, b] = taps[a*down + shift - b*up]."""
    k = tl.arange(0, high)[:, None] * down + shift - tl.arange(0, wide)[None, :] * up
    return tl.load(taps + k, mask=(k >= 0) & (k < length), other=0.0)


@triton.jit
def _product(a, b, ROUND: tl.constexpr, FACTOR: tl.constexpr, PRECISION: tl.constexpr, SUM: tl.constexpr):
    """a b with factors rounded to ROUND and held as FACTOR (the same type, but in the interpreter)."""
    return tl.dot(a.to(ROUND).to(FACTOR), b.to(ROUND).to(FACTOR), input_precision=PRECISION, out_dtype=SUM)


@triton.jit
def _activate(v, SLOPE: tl.constexpr, CLAMP: tl.constexpr):
    """Return phi(v) and its codes: 1 where v < 0, 2 where the result is clamped."""
    code = tl.where(v < 0, 1, 0)
    a = tl.where(v < 0, v * SLOPE, v)
    if CLAMP is not None:
        code = tl.where(tl.abs(a) > CLAMP, 2, code)
        a = tl.minimum(tl.maximum(a, -CLAMP), CLAMP)
    return a, code


@triton.jit
def _write_codes(codes, code, r0, r, c, raised_h, raised_w, rows, columns, HIGH: tl.constexpr, WIDE: tl.constexpr):
    """Store the bytes of four rows each, of this tile's own ``rows`` x ``columns`` raised samples."""
    code = tl.where((r < raised_h)[:, None], code, 0).to(tl.uint8)
    shifts = (2 * tl.arange(0, 4)).to(tl.uint8)
    byte = tl.sum(tl.reshape(code, (HIGH // 4, 4, WIDE)) << shifts[None, :, None], axis=1).to(tl.uint8)
    quad = tl.arange(0, HIGH // 4)
    line = r0 // 4 + quad
    own = ((quad * 4 < rows) & (line * 4 < raised_h))[:, None] & ((tl.arange(0, WIDE) < columns) & (c < raised_w))[None]
    tl.store(codes + line[:, None] * raised_w + c[None, :], byte, mask=own)


@triton.jit
def _times_codes(v, codes, r, c, raised_h, raised_w, SLOPE: tl.constexpr):
    """Return s . v; s is 0 outside the raised canvas."""
    inside = ((r >= 0) & (r < raised_h))[:, None] & ((c >= 0) & (c < raised_w))[None, :]
    byte = tl.load(codes + (r >> 2)[:, None] * raised_w + c[None, :], mask=inside, other=0xAA)
    code = (byte.to(tl.int32) >> ((r & 3) * 2)[:, None]) & 3
    return tl.where(code == 0, v, tl.where(code == 1, v * SLOPE, 0.0))


@triton.jit(do_not_specialize=["planes", "channels", *PLACE])
def filtered(
    x, y, codes, bias, taps, planes, channels,
    x_n, x_c, x_h, x_w, y_n, y_c, y_h, y_w, in_h, in_w, raised_h, raised_w, out_h, out_w,
    raised_r, raised_c, first_r, first_c, shift_r, shift_c,
    UP: tl.constexpr, DOWN: tl.constexpr, UP_TAPS: tl.constexpr, DOWN_TAPS: tl.constexpr,
    SLOPE: tl.constexpr, CLAMP: tl.constexpr, BIAS: tl.constexpr, READ: tl.constexpr, WRITE: tl.constexpr,
    ROUND: tl.constexpr, FACTOR: tl.constexpr, PRECISION: tl.constexpr, SUM: tl.constexpr,
    OUT_R: tl.constexpr, IN_R: tl.constexpr, RAISED_R: tl.constexpr, TARGET_R: tl.constexpr,
    OUT_C: tl.constexpr, IN_C: tl.constexpr, RAISED_C: tl.constexpr, TARGET_C: tl.constexpr, PLANES: tl.constexpr,
):  # fmt: skip
    """One tile of up to PLANES planes; x_n .. y_w are strides, *_r belongs to rows and *_c to columns."""
    tiles_c = tl.cdiv(out_w, OUT_C)
    tiles = tl.cdiv(out_h, OUT_R) * tiles_c
    place, group = tl.program_id(0) % tiles, tl.program_id(0) // tiles
    tile_r, tile_c = place // tiles_c, place % tiles_c
    i = first_r + tile_r * (OUT_R * DOWN // UP) + tl.arange(0, IN_R)
    j = first_c + tile_c * (OUT_C * DOWN // UP) + tl.arange(0, IN_C)
    r0 = raised_r + tile_r * (OUT_R * DOWN)
    r = r0 + tl.arange(0, RAISED_R)
    c = raised_c + tile_c * (OUT_C * DOWN) + tl.arange(0, RAISED_C)
    o = tile_r * OUT_R + tl.arange(0, TARGET_R)
    p = tile_c * OUT_C + tl.arange(0, TARGET_C)
    inside = ((i >= 0) & (i < in_h))[:, None] & ((j >= 0) & (j < in_w))[None, :]
    wanted = ((tl.arange(0, TARGET_R) < OUT_R) & (o < out_h))[:, None]
    wanted = wanted & ((tl.arange(0, TARGET_C) < OUT_C) & (p < out_w))[None, :]
    own_r = tl.where((tile_r + 1) * OUT_R >= out_h, RAISED_R, OUT_R * DOWN)  # the last tile has all that is left
    own_c = tl.where((tile_c + 1) * OUT_C >= out_w, RAISED_C, OUT_C * DOWN)
    up_r = _toeplitz(taps, RAISED_R, IN_R, 1, UP, shift_r, UP_TAPS)
    up_c = tl.trans(_toeplitz(taps + UP_TAPS, RAISED_C, IN_C, 1, UP, shift_c, UP_TAPS))
    down_r = _toeplitz(taps + 2 * UP_TAPS, TARGET_R, RAISED_R, DOWN, 1, DOWN_TAPS - 1, DOWN_TAPS)
    down_c = tl.trans(_toeplitz(taps + 2 * UP_TAPS + DOWN_TAPS, TARGET_C, RAISED_C, DOWN, 1, DOWN_TAPS - 1, DOWN_TAPS))
    for k in range(tl.minimum(PLANES, planes - group * PLANES)):
        plane = group * PLANES + k
        n, channel = (plane // channels).to(tl.int64), (plane % channels).to(tl.int64)
        v = tl.load(x + n * x_n + channel * x_c + i[:, None] * x_h + j[None, :] * x_w, mask=inside, other=0.0).to(SUM)
        if BIAS:
            v = tl.where(inside, v + tl.load(bias + channel).to(SUM), 0.0)
        v = _product(up_r, v, ROUND, FACTOR, PRECISION, SUM)
        v = _product(v, up_c, ROUND, FACTOR, PRECISION, SUM)
        mine = codes + plane.to(tl.int64) * ((raised_h + 3) // 4 * raised_w)
        if READ:
            v = _times_codes(v, mine, r, c, raised_h, raised_w, SLOPE)
        else:
            v, code = _activate(v, SLOPE, CLAMP)
            if WRITE:
                _write_codes(mine, code, r0, r, c, raised_h, raised_w, own_r, own_c, RAISED_R, RAISED_C)
        v = _product(v, down_c, ROUND, FACTOR, PRECISION, SUM)
        v = _product(down_r, v, ROUND, FACTOR, PRECISION, SUM)
        target = y + n * y_n + channel * y_c + o[:, None] * y_h + p[None, :] * y_w
        tl.store(target, v.to(y.dtype.element_ty), mask=wanted)
