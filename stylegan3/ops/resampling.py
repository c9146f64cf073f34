# SPDX-License-Identifier: Apache-2.0
"""Resampling of both axes in plain PyTorch: filters as taps, taps as bands, sums of products of bands applied."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.bands import Band, along_columns, along_rows, band, span
from stylegan3.ops.layout import channels_last

Taps = tuple[float, ...]
Terms = tuple[tuple[Band, Band], ...]  # (rows, columns)
Filter = Tensor | Taps | tuple[Taps, ...] | None
SAMPLES = 1 << 20  # worked on at once on a CPU: 4 MB of float32 stay in its cache


def constant(f: Filter) -> Taps | tuple[Taps, ...]:
    """Return a filter as nested tuples, which can be hashed; None is the identity."""
    if f is None:
        return (1.0,)
    if isinstance(f, Tensor):
        rows = f.detach().double().cpu().tolist()
        return tuple(tuple(row) for row in rows) if f.ndim == 2 else tuple(rows)
    return f


@lru_cache(maxsize=256)
def separated(f: Taps | tuple[Taps, ...]) -> tuple[tuple[Taps, Taps], ...]:
    """Write a filter as a sum of products of (taps along H, taps along W), by singular values where it is 2-D."""
    if not isinstance(f[0], tuple):
        return ((f, f),)
    u, s, vt = np.linalg.svd(np.asarray(f, dtype=np.float64))
    parts = [k for k in range(len(s)) if s[k] > 1e-8 * s[0]]  # a radial filter needs 3 or 4 products of 12
    return tuple((tuple((u[:, k] * s[k]).tolist()), tuple(vt[k].tolist())) for k in parts)


def sides(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Return padding as (x0, x1, y0, y1); one number is all four, two are (x, y)."""
    p = (padding,) if isinstance(padding, int) else tuple(padding)
    p = p * 4 if len(p) == 1 else (p[0], p[0], p[1], p[1]) if len(p) == 2 else p
    if len(p) != 4:
        raise NetworkError(f"padding {padding}: one number, (x, y) or (x0, x1, y0, y1) is allowed")
    return p


@lru_cache(maxsize=4096)
def axis_band(taps: Taps, up: int, down: int, pad: tuple[int, int], n: int, gain: float, flip: bool) -> Band:
    """Return the band of one axis of n samples for upfirdn2d's arguments."""
    n_out = (n * up + pad[0] + pad[1] - len(taps)) // down + 1
    if n_out < 1:
        raise NetworkError(f"{len(taps)} taps are longer than the {n * up + sum(pad)} padded samples: pad more")
    scaled = tuple(t * gain for t in (taps[::-1] if flip else taps))
    return band(scaled, up, down, len(taps) - 1 - pad[0], n, n_out)


def apply_terms(planes: Tensor, terms: Terms) -> Tensor:
    """Apply a sum of separable bands to planes [P, H, W], the cheaper axis first."""
    total: Tensor | None = None
    for rows, columns in terms:
        grows = rows.n_out * columns.n_in < rows.n_in * columns.n_out
        if grows:
            y = along_columns(along_rows(planes, rows), columns)
        else:
            y = along_rows(along_columns(planes, columns), rows)
        total = y if total is None else total.add_(y)
    assert total is not None
    return total


def _apply_channels_last(x: Tensor, terms: Terms) -> Tensor:
    """Apply a sum of separable bands to pictures [N, C, H, W] whose channels lie innermost, leaving them there."""
    n, c, h, w = x.shape
    total: Tensor | None = None
    for rows, columns in terms:
        y = along_rows(x.permute(0, 2, 3, 1).reshape(n, h, w * c), rows)
        y = along_rows(y.view(n * rows.n_out, w, c), columns).view(n, rows.n_out, columns.n_out, c)
        total = y if total is None else total.add_(y)
    assert total is not None
    return total.permute(0, 3, 1, 2)


def resampled(x: Tensor, terms: Terms) -> Tensor:
    """Apply a sum of separable bands to pictures [N, C, H, W], in groups of planes that a CPU's cache holds."""
    n, c, h, w = x.shape
    rows, columns = terms[0]
    if channels_last(x):
        return _apply_channels_last(x, terms)
    planes = x.reshape(n * c, h, w)
    size = max(h * w, rows.n_out * columns.n_out)
    step = n * c if x.device.type != "cpu" else max(1, SAMPLES // size)
    if step >= n * c:
        y = apply_terms(planes, terms)
    else:
        y = x.new_empty(n * c, rows.n_out, columns.n_out)
        for low, high in span(n * c, step):
            y[low:high] = apply_terms(planes[low:high], terms)
    return y.view(n, c, rows.n_out, columns.n_out)


def transposed(terms: Terms) -> Terms:
    """Return the terms of the transposed map."""
    return tuple((r.transposed, c.transposed) for r, c in terms)
