# SPDX-License-Identifier: Apache-2.0
"""Scores of features, whatever they describe."""

from stylegan3.metrics.kernel import kad, median_distance

__all__ = ["kad", "median_distance"]
