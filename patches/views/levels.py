# SPDX-License-Identifier: Apache-2.0
"""Mean and deviation for log magnitudes of left and right.

Left and right have one scaling: a mono canvas stays mono in model space and back, and a swap is a symmetry there.
And silence can be said: where three deviations below the mean don't reach the floor (sounds without pauses), the
deviation is widened until they do. The papers clip such values, and what should be silent hisses at their lowest level.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from patches.fitting import Sample, standard
from patches.scaling import Standard


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
    mean, deviation = (np.array(values, dtype=np.float64) for values in (scaling.mean, scaling.deviation))
    variance = np.square(deviation[:channels]).mean(0) + mean[:channels].var(0)
    mean[:channels] = mean[:channels].mean(0)
    deviation[:channels] = np.maximum(np.sqrt(variance), (mean[0] - floor_db) / scaling.sigmas)
    return dataclasses.replace(
        scaling, mean=tuple(map(tuple, mean.tolist())), deviation=tuple(map(tuple, deviation.tolist()))
    )
