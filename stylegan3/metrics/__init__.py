# SPDX-License-Identifier: Apache-2.0
"""Scores of features, whatever they describe: figures with 95 % intervals, computed in float64 with torch alone."""

from stylegan3.metrics.classes import class_scores
from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.frechet import frechet, frechet_infinity
from stylegan3.metrics.intervals import bootstrap_mean, wilson
from stylegan3.metrics.kernel import Reference, kad, kad_estimate, kernel_reference, median_distance
from stylegan3.metrics.moments import Moments, moments
from stylegan3.metrics.ndb import bins, ndb
from stylegan3.metrics.nearest import near_duplicates, nearest, nearest_within
from stylegan3.metrics.novelty import novelty
from stylegan3.metrics.prdc import balls, prdc

__all__ = [
    "Estimate",
    "Moments",
    "Reference",
    "balls",
    "bins",
    "bootstrap_mean",
    "class_scores",
    "frechet",
    "frechet_infinity",
    "kad",
    "kad_estimate",
    "kernel_reference",
    "median_distance",
    "moments",
    "ndb",
    "near_duplicates",
    "nearest",
    "nearest_within",
    "novelty",
    "prdc",
    "wilson",
]
