# SPDX-License-Identifier: Apache-2.0
"""Mean and deviation for log magnitudes of left and right.

Left and right have one scaling: a mono canvas stays mono in model space and back, and a swap is a symmetry there.
And everything that occurs can be said: where three deviations below the mean don't reach the floor (sounds without
pauses), or three above it not the row's highest level (notes that are seldom played), the deviation is widened until
they do. The papers clip such values: what should be silent hisses at their lowest level, and rare tones are too soft.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from patches.fitting import Sample, standard
from patches.scaling import Standard

Array = NDArray[np.float64]


def standard_levels(*, per_row: bool, channels: int = 2) -> Callable[[Sample], Standard]:
    """Give the fit of `Standard` to canvases of levels, the representation's floor_db among their values.

    Args:
        per_row: mean and deviation of each row; otherwise one for all.
        channels: how many are levels; those after them lie in [-1, 1] by nature and stay as they are.
    """

    def fit(sample: Sample) -> Standard:
        every = sample.representation.shape[0]
        fitted = standard(per_row=per_row, unit=tuple(range(channels, every)))(sample)
        return scaled_alike(fitted, min(channels, every), sample.representation.floor_db)  # type: ignore[attr-defined]

    return fit


def scaled_alike(scaling: Standard, channels: int, floor_db: float) -> Standard:
    """Throw the first channels' values together (mean of means, variance within and between), and reach the floor."""
    mean, deviation, highest = tables(scaling)
    variance = np.square(deviation[:channels]).mean(0) + mean[:channels].var(0)
    mean[:channels], highest[:channels] = mean[:channels].mean(0), highest[:channels].max(0)
    deviation[:channels] = widened(mean[0], np.sqrt(variance), highest[0], floor_db, scaling.sigmas)
    return with_tables(scaling, mean, deviation, highest)


def widened(mean: Array, deviation: Array, highest: Array, floor_db: float, sigmas: float) -> Array:
    """Widen deviations until so many of them reach the floor and the highest level. Shape: [..., F] each."""
    reach: Array = np.maximum(mean - floor_db, highest - mean) / sigmas
    return np.maximum(deviation, reach)


def tables(scaling: Standard) -> tuple[Array, Array, Array]:
    """Return mean, deviation and highest. Shape: [C, F] each."""
    mean, deviation, highest = (np.array(v, np.float64) for v in (scaling.mean, scaling.deviation, scaling.highest))
    return mean, deviation, highest


def with_tables(scaling: Standard, mean: Array, deviation: Array, highest: Array) -> Standard:
    """Return a scaling with other numbers. Shape: [C, F] each."""
    nested = [tuple(map(tuple, values.tolist())) for values in (mean, deviation, highest)]
    return dataclasses.replace(scaling, mean=nested[0], deviation=nested[1], highest=nested[2])
