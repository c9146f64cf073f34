# SPDX-License-Identifier: Apache-2.0
"""One scaling for left and right: a mono canvas stays mono in model space and back, and a swap is a symmetry there."""

import dataclasses
from collections.abc import Callable

import numpy as np

from patches.fitting import Sample
from patches.scaling import Standard


def tied(fit: Callable[[Sample], Standard]) -> Callable[[Sample], Standard]:
    """Give the fit of which channels 0 and 1, left and right, have mean and deviation together."""

    def fit_both(sample: Sample) -> Standard:
        fitted = fit(sample)
        return fitted if sample.representation.shape[0] < 2 else together(fitted)

    return fit_both


def together(scaling: Standard) -> Standard:
    """Return the scaling of two channels' values thrown together: mean of means, variance within and between."""
    mean, deviation = (np.array(values, dtype=np.float64) for values in (scaling.mean, scaling.deviation))
    within, between = np.square(deviation[:2]).mean(0), np.square(mean[0] - mean[1]) / 4
    mean[:2], deviation[:2] = mean[:2].mean(0), np.sqrt(within + between)
    return dataclasses.replace(
        scaling, mean=tuple(map(tuple, mean.tolist())), deviation=tuple(map(tuple, deviation.tolist()))
    )
