# SPDX-License-Identifier: Apache-2.0
"""Scores of features, whatever they describe: figures with 95 % intervals, computed in float64 with torch alone."""

from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.frechet import frechet, frechet_infinity
from stylegan3.metrics.intervals import bootstrap_mean, wilson
from stylegan3.metrics.kernel import Reference, kad, kad_estimate, kernel_reference, median_distance
from stylegan3.metrics.moments import Moments, moments

__all__ = [
    "Estimate",
    "Moments",
    "Reference",
    "bootstrap_mean",
    "frechet",
    "frechet_infinity",
    "kad",
    "kad_estimate",
    "kernel_reference",
    "median_distance",
    "moments",
    "wilson",
]
