# SPDX-License-Identifier: Apache-2.0
"""A figure with the interval that its sample leaves open."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN bounds where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan
