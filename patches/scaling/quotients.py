# SPDX-License-Identifier: Apache-2.0
"""log1p(x) / x and expm1(x) / x, smooth at 0: there by their series, since the quotient's own derivatives cancel."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

SERIES_BELOW = 0.01  # both series are then right to 1e-15


def log1p_over(x: Tensor) -> Tensor:
    """log1p(x) / x for x >= 0, smooth at 0: 1 - x/2 + x^2/3 - ..."""
    return _quotient(torch.log1p, x, [(-1) ** k / (k + 1) for k in range(7)])


def expm1_over(x: Tensor) -> Tensor:
    """expm1(x) / x for x >= 0, smooth at 0: 1 + x/2! + x^2/3! + ..."""
    return _quotient(torch.expm1, x, [1 / math.factorial(k + 1) for k in range(7)])


def _quotient(function: Callable[[Tensor], Tensor], x: Tensor, series: Sequence[float]) -> Tensor:
    small = x < SERIES_BELOW
    near, far = torch.where(small, x, 0.0), torch.where(small, 1.0, x)
    sum_ = torch.full_like(x, series[-1])
    for coefficient in reversed(series[:-1]):
        sum_ = sum_ * near + coefficient
    return torch.where(small, sum_, function(far) / far)
