# SPDX-License-Identifier: Apache-2.0
"""Nearest neighbours among any number of items, and what they say of copies: of the training set, and of each other.

Distances are Euclidean. `others` may be a stream of batches: one batch is held at a time, whatever their number.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.distances import checked, same_size, squared_distance_blocks
from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.intervals import wilson


def nearest(features: torch.Tensor, others: torch.Tensor | Iterable[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distance to the nearest of `others`, exactly 0 for a copy, and its index.

    Shape: [N, d], [M, d] or batches of [any, d] -> [N] float64, [N] integer.

    Raises:
        NetworkError: no others, other shapes, NaN or Inf.
    """
    x = checked(features, "nearest: features", least=1)
    best = torch.full((x.shape[0],), torch.inf, dtype=torch.float64, device=x.device)
    index, seen = torch.full(best.shape, -1, device=x.device), 0
    for batch in [others] if isinstance(others, torch.Tensor) else others:
        if batch.ndim == 2 and batch.shape[0] == 0:
            continue
        y = checked(batch.to(x.device), "nearest: others", least=1)
        same_size(x, y, "nearest")
        for rows, squares in squared_distance_blocks(x, y):
            found = squares.argmin(1)
            distance = (x[rows] - y[found]).norm(dim=1)
            nearer = distance < best[rows]
            best[rows] = torch.where(nearer, distance, best[rows])
            index[rows] = torch.where(nearer, found + seen, index[rows])
        seen += y.shape[0]
    if seen == 0:
        raise NetworkError("nearest: there is nothing to compare with; give at least 1 other item")
    return best, index


def nearest_within(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distance to the nearest other item of the same set, and its index. Shape: [N, d] -> [N], [N]."""
    x = checked(features, "nearest: features")
    best, index = x.new_empty(x.shape[0]), torch.empty(x.shape[0], dtype=torch.long, device=x.device)
    for rows, squares in squared_distance_blocks(x, x):
        squares[:, rows].fill_diagonal_(torch.inf)
        index[rows] = squares.argmin(1)
        best[rows] = (x[rows] - x[index[rows]]).norm(dim=1)
    return best, index


@dataclass(frozen=True)
class Duplicates:
    """Items that nearly repeat another of the same set.

    Args:
        pairs: the nearest pairs of two items, nearest first, at most as many as were asked for. Shape: [P, 2].
        distances: theirs. Shape: [P].
        count: of all pairs below the threshold.
        share: of items with another below the threshold.
    """

    pairs: torch.Tensor
    distances: torch.Tensor
    count: int
    share: Estimate

    def values(self) -> dict[str, Estimate]:
        """Give the figure by name."""
        return {"near_duplicates": self.share}


def near_duplicates(features: torch.Tensor, threshold: float, *, most: int = 1000) -> Duplicates:
    """Find pairs of items at most `threshold` apart.

    A real set of the same size has an honest threshold: say the 1 % quantile of its `nearest_within`, which about 1 %
    of its own items are below. Distances to the nearest fall with the number of items, so the sizes must be equal.

    Args:
        threshold: a distance; 0 finds copies alone.
        most: pairs that are kept.

    Shape: [N, d]. The interval takes two items as one, because duplicates come at least in twos.
    """
    x = checked(features, "near_duplicates: features")
    if not threshold >= 0:
        raise NetworkError(f"near_duplicates: the threshold is a distance of 0 or more, got {threshold}")
    pairs, distances, count = x.new_zeros(0, 2, dtype=torch.long), x.new_zeros(0), 0
    repeated = torch.zeros(x.shape[0], dtype=torch.bool, device=x.device)
    for rows, squares in squared_distance_blocks(x, x):
        one, two = _candidates(x, rows, squares, threshold)
        apart = (x[one] - x[two]).norm(dim=1)
        kept = apart <= threshold
        one, two, apart = one[kept], two[kept], apart[kept]
        repeated[one] = True
        repeated[two] = True
        count += len(one)
        pairs, distances = torch.cat([pairs, torch.stack([one, two], 1)]), torch.cat([distances, apart])
        order = distances.argsort(stable=True)[:most]
        pairs, distances = pairs[order], distances[order]
    share = wilson(int(repeated.sum()) / 2, x.shape[0] / 2)
    return Duplicates(pairs, distances, count, share)


def _candidates(
    x: torch.Tensor, rows: slice, squares: torch.Tensor, threshold: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pairs i < j that may be near enough, rounding allowed for. Shape: [P], [P]."""
    rounding = 1e-11 * float(x.var(0).sum())
    later = (
        torch.arange(x.shape[0], device=x.device)[None] > torch.arange(rows.start, rows.stop, device=x.device)[:, None]
    )
    one, two = ((squares <= threshold**2 + rounding) & later).nonzero(as_tuple=True)
    return one + rows.start, two
