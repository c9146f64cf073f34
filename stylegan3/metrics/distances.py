# SPDX-License-Identifier: Apache-2.0
"""What scores of features begin with: checked features in float64, and their squared distances some rows at a time.

|a - b|^2 = |a|^2 + |b|^2 - 2 a.b, after both lost the mean of b: a matrix product, ten times as fast as differences
at d = 500. In float64 that is right to about 1e-15 of |a|^2 + |b|^2; who needs the exact 0 of a copy takes the
difference of the pair that was found.
"""

from collections.abc import Iterator

import torch

from stylegan3.errors import NetworkError

_BLOCK = 2**22  # distances held at once: 32 MB


def checked(features: torch.Tensor, name: str, least: int = 2) -> torch.Tensor:
    """Return features as float64, without gradient.

    Args:
        name: what an error calls them, as in "kad: reference".
        least: the smallest number of items that can be scored.

    Shape: [N, d].

    Raises:
        NetworkError: another shape, fewer items, NaN or Inf.
    """
    if features.ndim != 2 or features.shape[0] < least:
        raise NetworkError(f"{name} is [at least {least}, d], got {list(features.shape)}; give more features")
    if not torch.isfinite(features).all():
        raise NetworkError(f"{name} holds NaN or Inf; leave those items out")
    return features.detach().double()


def same_size(x: torch.Tensor, y: torch.Tensor, name: str) -> None:
    """Refuse features of two encoders."""
    if x.shape[1] != y.shape[1]:
        raise NetworkError(
            f"{name}: features of {x.shape[1]} and {y.shape[1]} numbers can't be compared; take both from one encoder"
        )


def squared_distance_blocks(x: torch.Tensor, y: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield the squared distances of some rows of x to all of y, and which rows they are. Shape: [N, d], [M, d]."""
    middle = y.mean(0)
    y = y - middle
    norms, rows = y.square().sum(1), max(1, _BLOCK // max(1, y.shape[0]))
    for start in range(0, x.shape[0], rows):
        part = x[start : start + rows] - middle
        squares = torch.addmm(norms[None], part, y.T, alpha=-2).add_(part.square().sum(1, keepdim=True))
        yield slice(start, start + part.shape[0]), squares.clamp_(min=0)
