# SPDX-License-Identifier: Apache-2.0
"""Count, mean and covariance of features, in batches of any size and merged from parts; float64.

Each batch is centred by its own mean before its products are summed (Chan, Golub and LeVeque 1983), so that features
far from 0 lose no digits, and any number of items take the memory of one batch and a matrix [d, d].
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.distances import checked


@dataclass(frozen=True)
class Moments:
    """What the Frechet distance knows of a set of features. Shape: mean [d], covariance [d, d] (over count - 1)."""

    count: int
    mean: torch.Tensor
    covariance: torch.Tensor

    def merge(self, other: "Moments") -> "Moments":
        """Give the moments of both sets together (Chan, Golub and LeVeque 1983, equation 2.1)."""
        if self.mean.shape != other.mean.shape:
            raise NetworkError(f"moments: features of {len(self.mean)} and {len(other.mean)} numbers can't be merged")
        count = self.count + other.count
        apart = other.mean - self.mean
        scatter = self.covariance * (self.count - 1) + other.covariance * (other.count - 1)
        scatter = scatter + torch.outer(apart, apart) * (self.count * other.count / count)
        return Moments(count, self.mean + apart * (other.count / count), scatter / (count - 1))


def moments(features: torch.Tensor | Iterable[torch.Tensor]) -> Moments:
    """Return count, mean and covariance of features or of batches of them, in float64, one batch in memory at a time.

    Shape: [N, d], or each [any, d]; at least 2 in all.

    Raises:
        NetworkError: other shapes, NaN or Inf.
    """
    total: Moments | None = None
    for batch in [features] if isinstance(features, torch.Tensor) else features:
        if batch.ndim == 2 and batch.shape[0] == 0:
            continue
        one = _batch_moments(checked(batch, "moments: features", least=1))
        total = one if total is None else total.merge(one)
    if total is None or total.count < 2:
        raise NetworkError(f"moments: at least 2 items are needed, got {total.count if total else 0}; give more")
    return total


def _batch_moments(x: torch.Tensor) -> Moments:
    mean = x.mean(0)
    centred = x - mean
    return Moments(x.shape[0], mean, centred.T @ centred / max(1, x.shape[0] - 1))
