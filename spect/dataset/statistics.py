# SPDX-License-Identifier: Apache-2.0
"""What a scaling needs to know of a dataset, measured while it is built, in integers: the order of items is nothing.

Of each item: the largest modulus |Re + i Im| of each row over time, mid and side (row 0 carries Nyquist and DC, both
real: |Re| and |Im| apart), and each row's mean power. Largest values go into histograms over log2, 64 bins an octave
(a bin is 1.1 % wide), powers into sums of fixed-point numbers, in two halves so that they never run over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BINS_PER_OCTAVE = 64
LOWEST, HIGHEST = -40, 24  # octaves: 1e-12, the rounding of empty rows, to 1.7e7
BINS = (HIGHEST - LOWEST) * BINS_PER_OCTAVE
FIXED_POINT = 2.0**20
HALF = 2.0**40  # a power's upper and lower half stay below 2^40 each: 8 million items of the loudest fit into 2^63
LOUDEST = HALF * HALF / FIXED_POINT / 2  # of powers: 117 dB above a full-scale square wave in frames of 1024
PERCENTILE = 0.99  # over items of the item's row maximum (facts/representations.md, companding)


@dataclass(frozen=True)
class Measured:
    """Figures of one item as integers.

    Shape: maxima [F + 1] (rows, then DC), 0 for empty, else 1 + bin; powers [2, F + 1] fixed-point, upper and lower
    half.
    """

    maxima: np.ndarray
    powers: np.ndarray


def measured(largest: np.ndarray, mean: np.ndarray) -> Measured:
    """Turn powers of each bin, from DC to Nyquist, into integers of rows. Shape: [F + 1], [F + 1]."""
    by_row = np.append(largest[:0:-1], largest[0]).astype(np.float64)
    powers = np.rint(np.minimum(np.append(mean[:0:-1], mean[0]), LOUDEST) * FIXED_POINT)
    with np.errstate(divide="ignore"):
        octaves = np.log2(by_row) / 2
    bins = np.clip(np.floor((octaves - LOWEST) * BINS_PER_OCTAVE), 0, BINS - 1)
    halves = np.stack(np.divmod(powers, HALF)).astype(np.int64)
    return Measured(np.where(by_row > 0, bins + 1, 0).astype(np.int32), halves)


class Statistics:
    """The sum over a dataset's train items."""

    def __init__(self, rows: int) -> None:
        self.items = 0
        self._histogram = np.zeros((rows + 1, BINS + 1), np.int64)
        self._powers = np.zeros((2, rows + 1), np.int64)

    def add(self, item: Measured) -> None:
        """Count one item."""
        self.items += 1
        self._histogram[np.arange(len(item.maxima)), item.maxima] += 1
        self._powers += item.powers

    def to_dict(self) -> Mapping[str, Any]:
        """Give the figures: row 0 (highest frequency) first, DC apart."""
        needed = max(1, -int(-PERCENTILE * self.items // 1))
        bins = (np.cumsum(self._histogram, axis=1) >= needed).argmax(axis=1)
        maxima = np.where(bins > 0, 2.0 ** ((bins - 0.5) / BINS_PER_OCTAVE + LOWEST), 0.0)
        powers = np.array([float(int(HALF) * upper + lower) for upper, lower in self._powers.T.tolist()])
        rms = np.sqrt(powers / FIXED_POINT / max(1, self.items))
        return {
            "items": self.items,
            "row_maximum_p99": [_short(value) for value in maxima[:-1]],
            "dc_maximum_p99": _short(maxima[-1]),
            "row_rms": [_short(value) for value in rms[:-1]],
            "dc_rms": _short(rms[-1]),
        }


def _short(value: float) -> float:
    return float(f"{value:.6g}")
