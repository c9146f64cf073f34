# SPDX-License-Identifier: Apache-2.0
"""The modified discrete cosine transform with ends: as many coefficients as samples, frames that overlap by half.

    X[j, k] = sqrt(2 / F) sum over n of w[n] x[(j - 1/2) F + n] cos(pi / F (n + 1/2 - F/2)(k + 1/2)),   n = 0 ... 2F - 1
    w[n]^2 + w[n + F]^2 = 1,   w[2F - 1 - n] = w[n]                       (Princen, Johnson and Bradley 1987)

j = 0 ... B - 1 for L = B F samples. Where frame 0 would reach before the signal, and the last one past its end, that
half of its window is rectangular. (The papers' cosine has + F/2: but for the sign, the reversed signal's transform.)

Computed as what it is, an orthonormal lapped transform (Malvar 1990): at each border between blocks of F samples, the
samples l and u at equal distance m + 1/2 before and after it are turned by an angle,
    u' = c u + s l,   l' = c l - s u,   c = w[F/2 + m],   s = w[F/2 - 1 - m],   c^2 + s^2 = 1,
then each block goes through a DCT-IV, its own inverse, as one complex FFT of F/2 points. Being orthonormal, the whole
transform's gradient is its inverse, and the inverse's is the transform: nothing is kept for them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.signal.windows import kaiser_bessel_derived
from torch import Tensor


@dataclass(frozen=True)
class Mdct:
    """The transform for one window.

    Args:
        rows: F, even.
        window: 'sine' or 'kbd'.
        alpha: of 'kbd'.
    """

    rows: int
    window: str
    alpha: float

    def forth(self, signal: Tensor) -> Tensor:
        """Transform, highest frequency first. Shape: [..., B F] -> [..., B, F], B >= 1."""
        made: Tensor = _Forth.apply(signal, self)
        return made

    def back(self, coefficients: Tensor) -> Tensor:
        """Undo `forth`. Shape: [..., B, F] -> [..., B F]."""
        made: Tensor = _Back.apply(coefficients, self)
        return made


class _Forth(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, signal: Tensor, form: Mdct) -> Tensor:
        ctx.form = form
        tables = _tables(form, signal.device, signal.dtype)
        blocks = _turned(signal.unflatten(-1, (-1, form.rows)), tables, 1)
        return _ordered(_dct_iv(_ordered(blocks, tables.outer), tables), tables.falling)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.form.back(gradients[0]), None


class _Back(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, coefficients: Tensor, form: Mdct) -> Tensor:
        ctx.form = form
        tables = _tables(form, coefficients.device, coefficients.dtype)
        pairs = _dct_iv(_ordered(coefficients, tables.outer_falling), tables)
        return _turned(_ordered(pairs, tables.natural), tables, -1).flatten(-2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.form.forth(gradients[0]), None


class _Tables(NamedTuple):
    """cos and sin of the turns by distance from the border [F/2]; the DCT's factors [F/2]; orders of F values.

    Pairs from the outside in are (0, F - 1, 2, F - 3, ...): `outer` brings values into that order, `natural` back;
    `outer_falling` and `falling` do the same for values that begin with the last.
    """

    cos: Tensor
    sin: Tensor
    twiddle: Tensor
    outer: Tensor
    natural: Tensor
    outer_falling: Tensor
    falling: Tensor


def _ordered(values: Tensor, order: Tensor) -> Tensor:
    """Reorder the last axis: of two, which the CPU does twenty times as fast. Shape: [..., F] -> same."""
    return values.flatten(0, -2).index_select(1, order).view(values.shape)


def _turned(blocks: Tensor, tables: _Tables, direction: int) -> Tensor:
    """Turn the samples on both sides of each border, forth (1) or back (-1). Shape: [..., B, F] -> same."""
    half = blocks.shape[-1] // 2
    made = torch.empty_like(blocks, memory_format=torch.contiguous_format)
    made[..., 0, :half], made[..., -1, half:] = blocks[..., 0, :half], blocks[..., -1, half:]
    after, before = blocks[..., 1:, :half], blocks[..., :-1, half:]
    torch.mul(after, tables.cos, out=made[..., 1:, :half]).addcmul_(before.flip(-1), tables.sin, value=direction)
    cos, sin = tables.cos.flip(0), tables.sin.flip(0)
    torch.mul(before, cos, out=made[..., :-1, half:]).addcmul_(after.flip(-1), sin, value=-direction)
    return made


def _dct_iv(pairs: Tensor, tables: _Tables) -> Tensor:
    """Return the orthonormal DCT-IV of values in pairs from the outside in, in that order too; overwrites them.

        X[k] = sqrt(2 / F) sum over n of x[n] cos(pi / F (n + 1/2)(k + 1/2))

    With t[m] = exp(-i pi (m + 1/8) / F), m = 0 ... F/2 - 1, and the root of the factor in each t:
        X[2 k] - i X[F - 1 - 2 k] = t[k] FFT of (t[m] (x[2 m] + i x[F - 1 - 2 m])).

    Shape: [..., F] -> same.
    """
    value = torch.view_as_complex(pairs.unflatten(-1, (-1, 2))).mul_(tables.twiddle)
    made = torch.view_as_real(torch.fft.fft(value).mul_(tables.twiddle))
    made[..., 1].neg_()
    return made.flatten(-2)


@lru_cache(maxsize=32)
def _tables(form: Mdct, device: torch.device, dtype: torch.dtype) -> _Tables:
    rows, half = form.rows, form.rows // 2
    rising = np.sin(np.pi * (np.arange(rows) + 0.5) / (2 * rows))
    if form.window == "kbd":
        rising = kaiser_bessel_derived(2 * rows, np.pi * form.alpha)[:rows]
    twiddle = (2 / rows) ** 0.25 * np.exp(-1j * np.pi * (np.arange(half) + 1 / 8) / rows)
    outer = np.stack([np.arange(0, rows, 2), np.arange(rows - 1, 0, -2)], axis=1).ravel()
    falling = rows - 1 - outer
    orders = (torch.from_numpy(order.copy()) for order in (outer, outer.argsort(), falling, falling.argsort()))
    with torch.inference_mode(False):  # kept for later calls, which may want gradients
        cos, sin = (torch.from_numpy(v.copy()).to(device, dtype) for v in (rising[half:], rising[half - 1 :: -1]))
        complex_ = torch.complex128 if dtype == torch.float64 else torch.complex64
        return _Tables(
            cos, sin, torch.from_numpy(twiddle).to(device, complex_), *(order.to(device) for order in orders)
        )
