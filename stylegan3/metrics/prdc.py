# SPDX-License-Identifier: Apache-2.0
"""Precision, recall, density and coverage: how good single outputs are, and how much of the real set they reach.

The ball of an item reaches to its k-th nearest neighbour in its own set (itself not counted). Of N references x and M
outputs y (Kynkaanniemi et al. 2019, section 3; Naeem et al. 2020, equations 3 to 6):

    precision = share of y within the ball of any x          recall   = share of x within the ball of any y
    density   = mean over y of (balls of x that hold y) / k  coverage = share of x whose ball holds any y

Of equal distributions, density is 1 in expectation, and coverage is 1 less the product over i = 1..k of (N - i) / (N +
M - i) (.97 where N = M and k = 5, .67 where N = 4 M). Precision and recall depend on d too (.95 at d 8, .79 at 32, .65
at 128, where N = M = 2 000 and k = 5). So quote all four beside real against real of the same sizes.

Intervals: both sets are samples, and neighbours share their balls. Over draws of Gaussians (d 4 to 128, N and M 200 to
600) the variance of a share is .5 to 1.3 times that of N M / (N + M) independent items, and that of density at most 1.9
times that of a mean over pairs. So the shares have Wilson's interval of N M / (N + M) items, and density that
of a mean over pairs with twice its variance.
"""

import math
from dataclasses import dataclass

import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.distances import checked, same_size, squared_distance_blocks
from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.intervals import Z95, wilson


@dataclass(frozen=True)
class Prdc:
    """The four figures, each 0 to 1 but density, which is 1 for equal sets and may be more."""

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate

    def values(self) -> dict[str, Estimate]:
        """Give the figures by name."""
        return {name: getattr(self, name) for name in ("precision", "recall", "density", "coverage")}


@dataclass(frozen=True)
class Balls:
    """A set with the reach of its items. Shape: features [N, d], squared_radii [N]; float64."""

    features: torch.Tensor
    squared_radii: torch.Tensor
    k: int


def balls(features: torch.Tensor, k: int = 5) -> Balls:
    """Find the distance of every item to its k-th nearest neighbour; once for references of many systems.

    Shape: [N, d], N more than k.

    Raises:
        NetworkError: too few items, other shapes, NaN or Inf.
    """
    if k < 1:
        raise NetworkError(f"prdc: k is 1 or more neighbours, got {k}")
    x = checked(features, "prdc: features", least=k + 1)
    radii = x.new_empty(x.shape[0])
    for rows, squares in squared_distance_blocks(x, x):
        squares[:, rows].fill_diagonal_(0)
        radii[rows] = squares.topk(k + 1, dim=1, largest=False).values[:, k]
    rounding = 1e-12 * float(x.var(0).sum())  # so that copies are within a ball of radius 0
    return Balls(x, radii + rounding, k)


def prdc(reference: torch.Tensor | Balls, other: torch.Tensor, *, k: int = 5) -> Prdc:
    """Return precision, recall, density and coverage.

    Args:
        reference: the real ones: features, or their `balls`, whose k is then taken.

    Shape: [N, d], [M, d], both more than k.
    """
    x = reference if isinstance(reference, Balls) else balls(reference, k)
    y = balls(other, x.k)
    same_size(x.features, y.features, "prdc")
    recalled = torch.zeros_like(x.squared_radii)
    holding, held = torch.zeros_like(y.squared_radii), torch.zeros_like(x.squared_radii)
    for rows, squares in squared_distance_blocks(x.features, y.features):
        within_x = squares <= x.squared_radii[rows, None]
        holding += within_x.sum(0)
        held[rows] = within_x.sum(1).double()
        recalled[rows] = (squares <= y.squared_radii).any(1).double()
    fewer = len(held) * len(holding) / (len(held) + len(holding))
    return Prdc(
        precision=_share(holding > 0, fewer),
        recall=_share(recalled > 0, fewer),
        density=_density(holding / x.k, held * (len(held) / (x.k * len(holding)))),
        coverage=_share(held > 0, fewer),
    )


def _share(items: torch.Tensor, count: float) -> Estimate:
    """Return the share of items that are true, with the interval of `count` independent ones. Shape: [any]."""
    return wilson(float(items.double().mean()) * count, count)


def _density(of_outputs: torch.Tensor, of_references: torch.Tensor) -> Estimate:
    """Return the mean, which both share, with its interval as the head has it. Shape: [M], [N]."""
    value = float(of_outputs.mean())
    half = Z95 * math.sqrt(2 * sum(float(part.var()) / part.numel() for part in (of_outputs, of_references)))
    return Estimate(value, value - half, value + half)
