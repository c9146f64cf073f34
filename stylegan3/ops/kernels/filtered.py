# SPDX-License-Identifier: Apache-2.0
"""The Triton kernel of the filtered leaky relu: y = D phi(U (x + b)), or D (s . U g) with s read from codes.

A program owns one place of the canvas, a tile (geometry.py), and does it for several planes one after the other, so
that the four Toeplitz matrices are made once. For one plane, X the inputs of the tile (zero outside the canvas):

    V = U_r X U_c^T,    V <- phi(V) and its codes, or s . V,    Y = D_r (V D_c^T)

four small matrix products on the tensor cores, accumulated in float32, with no raised sample written to memory but its
2-bit code. The gradient U^T (s . D^T g) is the same kernel over ``plan.transposed``.

What bounds it, by count (float16, 2/2, 12 taps, a tile of 26x26 results and 64x64 raised samples, H100 SXM): products
padded to powers of two are 721 k multiply-adds a tile and 66 k for its codes, 1160 a result (72 without padding and
zeros): 384 cycles of a multiprocessor's tensor cores. Its four warps issue 710 instructions each (counted in the code
for 9.0), one a cycle and scheduler: 710 cycles. Memory moves 5 B a result (2 in, 2 out, 1 of codes; seams read each
input twice, which L2 serves): 670 G results/s of 3.35 TB/s. So the issue of instructions bounds it, at 220 G results/s
if nothing stalls, and an H200's faster memory changes little. Float32 ("ieee") has no tensor core: 900 multiply-adds a
result, 35 G results/s at best.
"""

from __future__ import annotations

import triton
import triton.language as tl

PLACE = ("raised_r", "raised_c", "first_r", "first_c", "shift_r", "shift_c")  # of a Start each; any integers


@triton.jit
def _toeplitz(
    taps: tl.tensor, high: tl.constexpr, wide: tl.constexpr, down: tl.constexpr, up: tl.constexpr, shift: tl.tensor,
    length: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """M[a, b] = taps[a*down + shift - b*up]."""
    k = tl.arange(0, high)[:, None] * down + shift - tl.arange(0, wide)[None, :] * up
    return tl.load(taps + k, mask=(k >= 0) & (k < length), other=0.0)


@triton.jit
def _factor(v: tl.tensor, ROUND: tl.constexpr, FACTOR: tl.constexpr, PRECISION: tl.constexpr) -> tl.tensor:
    """v rounded to ROUND and held as FACTOR (the same type, but in the interpreter).

    A tensor core cuts off what TF32 doesn't hold, the 13 last bits: four such products in a row would make a layer's
    samples too small. So the nearest number that it does hold comes first.
    """
    v = v.to(ROUND).to(FACTOR)
    if PRECISION == "tf32":
        bits = (v.to(tl.int32, bitcast=True) + 0x1000) & -0x2000
        v = tl.where(v == v, bits.to(tl.float32, bitcast=True), v)
    return v


@triton.jit
def _product(
    a: tl.tensor, b: tl.tensor, ROUND: tl.constexpr, FACTOR: tl.constexpr, PRECISION: tl.constexpr, SUM: tl.constexpr
) -> tl.tensor:
    """a b of rounded factors."""
    a, b = _factor(a, ROUND, FACTOR, PRECISION), _factor(b, ROUND, FACTOR, PRECISION)
    return tl.dot(a, b, input_precision=PRECISION, out_dtype=SUM)


@triton.jit
def _activate(v: tl.tensor, SLOPE: tl.constexpr, CLAMP: tl.constexpr) -> tuple[tl.tensor, tl.tensor]:
    """Return phi(v) and its codes: 1 where v < 0, 2 where the result is clamped."""
    code = tl.where(v < 0, 1.0, 0.0)
    a = tl.maximum(v, v * SLOPE)  # slope <= 1
    if CLAMP is not None:
        code = tl.where(tl.abs(a) > CLAMP, 2.0, code)
        a = tl.clamp(a, -CLAMP, CLAMP, propagate_nan=tl.PropagateNan.ALL)
    return a, code


@triton.jit
def _spread(quads: tl.constexpr, high: tl.constexpr, r0: tl.tensor, weighted: tl.constexpr) -> tl.tensor:
    """P[q, r] = 1, or 4^(r % 4) where ``weighted``, if row r0 + r lies in the q-th byte from that of r0 on."""
    r = r0 + tl.arange(0, high)[None, :]
    inside = (r >> 2) - (r0 >> 2) == tl.arange(0, quads)[:, None]
    return tl.where(inside, 1 << (2 * (r & 3)) if weighted else 1, 0).to(tl.float16)


@triton.jit
def _write_codes(
    codes: tl.tensor, code: tl.tensor, packing: tl.tensor, r0: tl.tensor, c: tl.tensor, own: tl.tensor,
    raised_h: tl.tensor, raised_w: tl.tensor, QUADS: tl.constexpr,
) -> None:  # fmt: skip
    """Store the bytes ``own`` of a tile: four rows each, summed by a product, 0 in rows beyond the canvas.

    Columns come first in it, of which a tile has enough for all warps.
    """
    byte = tl.dot(tl.trans(code.to(tl.float16)), packing).to(tl.int32)
    line = (r0 >> 2) + tl.arange(0, QUADS)
    rows = tl.minimum(tl.maximum(raised_h - 4 * line, 0), 4)
    byte = byte & ((1 << (2 * rows)) - 1)[None, :]
    tl.store(codes + line[None, :] * raised_w + c[:, None], byte.to(tl.uint8), mask=own & (rows > 0)[None, :])


@triton.jit
def _times_codes(
    v: tl.tensor, codes: tl.tensor, copying: tl.tensor, r0: tl.tensor, r: tl.tensor, c: tl.tensor,
    raised_h: tl.tensor, raised_w: tl.tensor, SLOPE: tl.constexpr, QUADS: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """Return s . v, with s = 0 outside the canvas; a product copies each byte to its four rows."""
    line = (r0 >> 2) + tl.arange(0, QUADS)
    known = (line >= 0) & (line * 4 < raised_h) & (line <= tl.max(r, axis=0) >> 2)
    inside = known[:, None] & ((c >= 0) & (c < raised_w))[None, :]
    byte = tl.load(codes + line[:, None] * raised_w + c[None, :], mask=inside, other=0xAA).to(tl.int32)
    rows = tl.minimum(tl.maximum(raised_h - 4 * line, 0), 4)
    byte = byte | ((0xAA << (2 * rows)) & 0xFF)[:, None]  # code 2 beyond the last row
    copied = tl.dot(copying, byte.to(tl.float16))
    bits = (copied + 8388608.0).to(tl.int32, bitcast=True)  # 2^23 + byte: the mantissa's low bits are the byte
    one = (1 << (2 * (r & 3)))[:, None]  # code 1 of this row, where it stands in its byte
    code = bits & (3 * one)
    return tl.where(code == 0, v, tl.where(code == one, v * SLOPE, 0.0))


@triton.jit(do_not_specialize=["planes", "channels", *PLACE])
def filtered(
    x: tl.tensor, y: tl.tensor, codes: tl.tensor, bias: tl.tensor, taps: tl.tensor,
    planes: tl.tensor, channels: tl.tensor, x_n: tl.tensor, x_c: tl.tensor, x_h: tl.tensor, x_w: tl.tensor,
    y_n: tl.tensor, y_c: tl.tensor, y_h: tl.tensor, y_w: tl.tensor, in_h: tl.tensor, in_w: tl.tensor,
    raised_h: tl.tensor, raised_w: tl.tensor, out_h: tl.tensor, out_w: tl.tensor, raised_r: tl.tensor,
    raised_c: tl.tensor, first_r: tl.tensor, first_c: tl.tensor, shift_r: tl.tensor, shift_c: tl.tensor,
    UP: tl.constexpr, DOWN: tl.constexpr, UP_TAPS: tl.constexpr, DOWN_TAPS: tl.constexpr,
    SLOPE: tl.constexpr, CLAMP: tl.constexpr, BIAS: tl.constexpr, READ: tl.constexpr, WRITE: tl.constexpr,
    ROUND: tl.constexpr, FACTOR: tl.constexpr, PRECISION: tl.constexpr, SUM: tl.constexpr,
    OUT_R: tl.constexpr, IN_R: tl.constexpr, RAISED_R: tl.constexpr, TARGET_R: tl.constexpr,
    OUT_C: tl.constexpr, IN_C: tl.constexpr, RAISED_C: tl.constexpr, TARGET_C: tl.constexpr, PLANES: tl.constexpr,
) -> None:  # fmt: skip
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
    reads_r: tl.constexpr = (OUT_R * DOWN + DOWN_TAPS + UP_TAPS - 3) // UP + 1  # as Side counts them
    reads_c: tl.constexpr = (OUT_C * DOWN + DOWN_TAPS + UP_TAPS - 3) // UP + 1
    known_r = (i >= 0) & (i < in_h) & (tl.arange(0, IN_R) < reads_r)
    known_c = (j >= 0) & (j < in_w) & (tl.arange(0, IN_C) < reads_c)
    inside = known_r[:, None] & known_c[None, :]
    wanted = ((tl.arange(0, TARGET_R) < OUT_R) & (o < out_h))[:, None]
    wanted = wanted & ((tl.arange(0, TARGET_C) < OUT_C) & (p < out_w))[None, :]
    own_r = tl.where((tile_r + 1) * OUT_R >= out_h, RAISED_R, OUT_R * DOWN)  # the last tile has all that is left
    own_c = tl.where((tile_c + 1) * OUT_C >= out_w, RAISED_C, OUT_C * DOWN)
    packed: tl.constexpr = RAISED_R // 4 if RAISED_R >= 64 else 16  # rows of bytes: at least a product's 16
    copied: tl.constexpr = RAISED_R // 2  # one more than a quarter is touched where r0 is no multiple of 4
    own = (tl.arange(0, packed) * 4 < own_r)[None, :] & ((tl.arange(0, RAISED_C) < own_c) & (c < raised_w))[:, None]
    packing = tl.trans(_spread(packed, RAISED_R, r0, True))
    copying = tl.trans(_spread(copied, RAISED_R, r0, False))
    up_r = _toeplitz(taps, RAISED_R, IN_R, 1, UP, shift_r, UP_TAPS)
    up_c = tl.trans(_toeplitz(taps + UP_TAPS, RAISED_C, IN_C, 1, UP, shift_c, UP_TAPS))
    down_r = _toeplitz(taps + 2 * UP_TAPS, TARGET_R, RAISED_R, DOWN, 1, DOWN_TAPS - 1, DOWN_TAPS)
    down_c = tl.trans(_toeplitz(taps + 2 * UP_TAPS + DOWN_TAPS, TARGET_C, RAISED_C, DOWN, 1, DOWN_TAPS - 1, DOWN_TAPS))
    spare = tl.arange(0, IN_C) == IN_C - 1  # a column that no raised sample reads: the bias's
    if BIAS:
        ones_r = tl.sum(tl.where(known_r[None, :], up_r, 0.0), axis=1)
        ones_c = tl.sum(tl.where(known_c[:, None], up_c, 0.0), axis=0)
        up_c = tl.where(spare[:, None], ones_c[None, :], up_c)
    for k in range(PLANES):
        plane = tl.minimum(group * PLANES + k, planes - 1)  # the last group does its last plane again
        n, channel = (plane // channels).to(tl.int64), (plane % channels).to(tl.int64)
        v = tl.load(x + n * x_n + channel * x_c + i[:, None] * x_h + j[None, :] * x_w, mask=inside, other=0.0)
        v = _product(up_r, v, ROUND, FACTOR, PRECISION, SUM)
        if BIAS:
            v = tl.where(spare[None, :], (tl.load(bias + channel).to(SUM) * ones_r)[:, None], v)
        v = _product(v, up_c, ROUND, FACTOR, PRECISION, SUM)
        mine = codes + plane.to(tl.int64) * ((raised_h + 3) // 4 * raised_w)
        if READ:
            v = _times_codes(v, mine, copying, r0, r, c, raised_h, raised_w, SLOPE, copied)
        else:
            v, code = _activate(v, SLOPE, CLAMP)
            if WRITE:
                _write_codes(mine, code, packing, r0, c, own, raised_h, raised_w, packed)
        v = _product(v, down_c, ROUND, FACTOR, PRECISION, SUM)
        v = _product(down_r, v, ROUND, FACTOR, PRECISION, SUM)
        target = y + n * y_n + channel * y_c + o[:, None] * y_h + p[None, :] * y_w
        tl.store(target, v.to(y.dtype.element_ty), mask=wanted)
