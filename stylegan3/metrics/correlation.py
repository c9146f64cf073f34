# SPDX-License-Identifier: Apache-2.0
"""Correlation of two short lists of figures, as of a score and a listening test's mean opinion over some systems.

    Pearson r = covariance / (deviation * deviation); Spearman's = Pearson's of the ranks, equal ones sharing theirs

Intervals by Fisher's z = atanh r, normal with variance 1 / (n - 3) for Pearson, (1 + r^2 / 2) / (n - 3) for Spearman
(Bonett and Wright 2000). A perfect order of few systems proves little (4 have it by chance once in 24 times), so that
z is taken half the way to the next order, one swap of neighbours, which is 6 / (n (n^2 - 1)) below 1.
"""

import math
from collections.abc import Sequence

import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.intervals import Z95


def pearson(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Return the linear correlation of the pairs that are finite.

    NaN for fewer than 3 pairs or a list without differences; no interval for 3.
    """
    x, y = _pairs(first, second)
    value = _correlation(x, y)
    return _interval(value, value, len(x), 1.0)


def spearman(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Return the correlation of the order of the pairs that are finite; NaN as `pearson`."""
    x, y = _pairs(first, second)
    value, n = _correlation(_ranks(x), _ranks(y)), len(x)
    if math.isnan(value):
        return Estimate(math.nan)
    most = 1 - 6 / (n * (n * n - 1))
    return _interval(value, max(-most, min(most, value)), n, 1 + value * value / 2)


def _pairs(first: Sequence[float], second: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    if len(first) != len(second):
        raise NetworkError(f"correlation: lists have equal lengths, got {len(first)} and {len(second)}")
    both = torch.tensor([list(map(float, first)), list(map(float, second))], dtype=torch.float64)
    x, y = both[:, torch.isfinite(both).all(0)]
    return x, y


def _correlation(x: torch.Tensor, y: torch.Tensor) -> float:
    if len(x) < 3 or bool((x == x[0]).all()) or bool((y == y[0]).all()):
        return math.nan
    x, y = x - x.mean(), y - y.mean()
    return max(-1.0, min(1.0, float((x / x.norm()) @ (y / y.norm()))))


def _ranks(x: torch.Tensor) -> torch.Tensor:
    """Return ranks from 0, equal values sharing the mean of theirs. Shape: [N]."""
    ordered = x.sort().values
    return (torch.searchsorted(ordered, x) + torch.searchsorted(ordered, x, right=True) - 1).double() / 2


def _interval(value: float, bounded: float, count: int, variance: float) -> Estimate:
    """Return `value` with Fisher's interval around `bounded`, which for ranks is less than 1."""
    if math.isnan(value) or count < 4:
        return Estimate(value)
    if abs(bounded) == 1:
        return Estimate(value, value, value)
    half = Z95 * math.sqrt(variance / (count - 3))
    low, high = (math.tanh(math.atanh(bounded) + sign * half) for sign in (-1, 1))
    return Estimate(value, min(value, low), max(value, high))
