# SPDX-License-Identifier: Apache-2.0
"""Scores of features, whatever they describe: figures with 95 % intervals, computed in float64 with torch alone."""

from stylegan3.metrics.classes import accuracy, am_score, class_scores, inception_score, modified_inception_score
from stylegan3.metrics.correlation import pearson, spearman
from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.frechet import frechet, frechet_infinity
from stylegan3.metrics.intervals import bootstrap_mean, mean_interval, quantile_interval, wilson
from stylegan3.metrics.kernel import Reference, kad, kad_estimate, kernel_reference, median_distance
from stylegan3.metrics.moments import Moments, moments
from stylegan3.metrics.ndb import Bins, Ndb, bins, ndb
from stylegan3.metrics.nearest import Duplicates, near_duplicates, nearest, nearest_within
from stylegan3.metrics.novelty import Novelty, chance_below, novelty
from stylegan3.metrics.prdc import Balls, Prdc, balls, prdc

__all__ = [
    "Balls",
    "Bins",
    "Duplicates",
    "Estimate",
    "Moments",
    "Ndb",
    "Novelty",
    "Prdc",
    "Reference",
    "accuracy",
    "am_score",
    "balls",
    "bins",
    "bootstrap_mean",
    "chance_below",
    "class_scores",
    "frechet",
    "frechet_infinity",
    "inception_score",
    "kad",
    "kad_estimate",
    "kernel_reference",
    "mean_interval",
    "median_distance",
    "modified_inception_score",
    "moments",
    "ndb",
    "near_duplicates",
    "nearest",
    "nearest_within",
    "novelty",
    "pearson",
    "prdc",
    "quantile_interval",
    "spearman",
    "wilson",
]
