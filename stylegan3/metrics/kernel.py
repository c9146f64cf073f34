# SPDX-License-Identifier: Apache-2.0
"""Scores between two sets of features, whatever they describe.

KAD (kernel distance; Chung et al. 2025, after the kernel two-sample test of Gretton et al. 2012, equation 3): the
unbiased estimate of the squared maximum mean discrepancy,

    MMD^2 = mean over i != j of k(x_i, x_j) + mean over i != j of k(y_i, y_j) - 2 mean over i, j of k(x_i, y_j)
    k(a, b) = exp(-|a - b|^2 / (2 s^2)),  s = median pairwise distance of the reference

times 100. Its expectation doesn't depend on the number of samples, and is 0 for equal distributions, where single
estimates scatter around 0 and may be negative. Features go in as they are.
"""

import torch

from stylegan3.errors import NetworkError

KAD_SCALE = 100.0
_ROWS = 1024  # rows of a kernel matrix held at once


def kad(reference: torch.Tensor, other: torch.Tensor, *, bandwidth: float | None = None) -> float:
    """Return the kernel distance of two sets of features, times 100; computed in float64.

    Args:
        reference: the real ones; they set the bandwidth.
        bandwidth: s; None is the median pairwise distance of `reference`.

    Shape: [N, d], [M, d], N and M at least 2.

    Raises:
        NetworkError: other shapes, NaN or Inf, all references equal.
    """
    x, y = _checked(reference, "reference"), _checked(other, "other")
    if x.shape[1] != y.shape[1]:
        raise NetworkError(f"kad: features of {x.shape[1]} and {y.shape[1]} numbers can't be compared")
    s = median_distance(x) if bandwidth is None else bandwidth
    if not s > 0:
        raise NetworkError("kad: the bandwidth is 0 (most reference features are equal); give more or other references")
    within_x = (_kernel_sum(x, x, s) - x.shape[0]) / (x.shape[0] * (x.shape[0] - 1))
    within_y = (_kernel_sum(y, y, s) - y.shape[0]) / (y.shape[0] * (y.shape[0] - 1))
    between = _kernel_sum(x, y, s) / (x.shape[0] * y.shape[0])
    return KAD_SCALE * (within_x + within_y - 2 * between)


def median_distance(features: torch.Tensor) -> float:
    """Return the median Euclidean distance over all pairs. Shape: [N, d] -> a number."""
    distances = torch.pdist(_checked(features, "features"))
    return float(distances.quantile(0.5) if distances.numel() < 2**24 else distances.median())


def _checked(features: torch.Tensor, name: str) -> torch.Tensor:
    if features.ndim != 2 or features.shape[0] < 2:
        raise NetworkError(f"kad: {name} is [at least 2, d], got {list(features.shape)}")
    if not torch.isfinite(features).all():
        raise NetworkError(f"kad: {name} holds NaN or Inf")
    return features.detach().double()


def _kernel_sum(x: torch.Tensor, y: torch.Tensor, s: float) -> float:
    """Sum k(x_i, y_j) over all i and j, some rows at a time."""
    exact = "donot_use_mm_for_euclid_dist"  # the quick way loses the zeros of the diagonal
    sums = [(-torch.cdist(rows, y, compute_mode=exact).square() / (2 * s * s)).exp().sum() for rows in x.split(_ROWS)]
    return float(torch.stack(sums).sum())
