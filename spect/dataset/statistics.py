# SPDX-License-Identifier: Apache-2.0
"""What a scaling needs to know of a dataset, measured while it is built, in integers: the order of items is nothing.

Of each item: the largest modulus |Re + i Im| of each row over time, mid and side (row 0 carries Nyquist and DC, both
real: |Re| and |Im| apart), and the mean of |value| of each row. Largest values go into histograms over log2, 64 bins an
octave (a bin is 1.1 % wide), means into sums of fixed-point numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BINS_PER_OCTAVE = 64
LOWEST, HIGHEST = -40, 24  # octaves: 1e-12, the rounding of empty rows, to 1.7e7
BINS = (HIGHEST - LOWEST) * BINS_PER_OCTAVE
FIXED_POINT = 2**24  # a mean of 1 in 2^63 / 2^24 / 2^20 items still fits for values up to 2^19
PERCENTILE = 0.99  # over items of the item's row maximum (facts/representations.md, companding)


@dataclass(frozen=True)
class Measured:
    """Figures of one item as integers.

    Shape: maxima [F + 1] (rows, then DC), 0 for empty, else 1 + bin; means [F + 1] fixed-point.
    """

    maxima: np.ndarray
    means: np.ndarray


def measure(canvas: np.ndarray) -> Measured:
    """Measure one canvas. Shape: [4, F, T] float32."""
    rows = canvas.shape[1]
    power = np.empty(rows + 1)
    mid = canvas[0] * canvas[0]
    mid += canvas[1] * canvas[1]
    side = canvas[2] * canvas[2]
    side += canvas[3] * canvas[3]
    power[:rows] = np.maximum(mid.max(axis=1), side.max(axis=1))
    power[0] = max(np.abs(canvas[0, 0]).max(), np.abs(canvas[2, 0]).max()) ** 2.0
    power[rows] = max(np.abs(canvas[1, 0]).max(), np.abs(canvas[3, 0]).max()) ** 2.0
    absolute = np.abs(canvas)
    means = np.empty(rows + 1)
    means[:rows] = absolute.mean(axis=(0, 2), dtype=np.float64)
    means[0] = absolute[::2, 0].mean(dtype=np.float64)
    means[rows] = absolute[1::2, 0].mean(dtype=np.float64)
    return Measured(_bins(power), np.rint(means * FIXED_POINT).astype(np.int64))


def _bins(power: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        octaves = np.log2(power) / 2
    bins = np.clip(np.floor((octaves - LOWEST) * BINS_PER_OCTAVE), 0, BINS - 1)
    return np.where(power > 0, bins + 1, 0).astype(np.int32)


class Statistics:
    """The sum over a dataset's train items."""

    def __init__(self, rows: int) -> None:
        self.items = 0
        self._histogram = np.zeros((rows + 1, BINS + 1), np.int64)
        self._sums = np.zeros(rows + 1, np.int64)

    def add(self, measured: Measured) -> None:
        """Count one item."""
        self.items += 1
        self._histogram[np.arange(len(measured.maxima)), measured.maxima] += 1
        self._sums += measured.means

    def to_dict(self) -> Mapping[str, Any]:
        """Give the figures: row 0 (highest frequency) first, DC apart."""
        needed = max(1, -int(-PERCENTILE * self.items // 1))
        bins = (np.cumsum(self._histogram, axis=1) >= needed).argmax(axis=1)
        maxima = np.where(bins > 0, 2.0 ** ((bins - 0.5) / BINS_PER_OCTAVE + LOWEST), 0.0)
        means = self._sums / FIXED_POINT / max(1, self.items)
        return {
            "items": self.items,
            "row_maximum_p99": [_short(value) for value in maxima[:-1]],
            "dc_maximum_p99": _short(maxima[-1]),
            "mean_abs": [_short(value) for value in means[:-1]],
            "dc_mean_abs": _short(means[-1]),
        }


def _short(value: float) -> float:
    return float(f"{value:.6g}")
