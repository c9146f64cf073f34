# SPDX-License-Identifier: Apache-2.0
"""Power in decibels over a soft floor: v = 10 log10(P + f), f = 10^(floor_db / 10).

Silence is floor_db, exactly and both ways; the curve up from there has no corner.
"""

import torch
from torch import Tensor

SILENT_DB = 1e-3  # above the floor: what rounding may leave of silence


def floor_power(floor_db: float) -> float:
    """Return f."""
    return float(10 ** (floor_db / 10))


def decibels(power: Tensor, floor_db: float) -> Tensor:
    """Return v. Shape: [...] >= 0 -> [...]."""
    return 10 * torch.log10(power + floor_power(floor_db))


def power_above(level: Tensor, floor_db: float) -> Tensor:
    """Return P, exactly 0 at the floor and below. Shape: [...] -> [...]."""
    power = torch.pow(10.0, level / 10) - floor_power(floor_db)
    return torch.where(level > floor_db + SILENT_DB, power, 0.0).clamp_min(0)


def magnitude_above(level: Tensor, floor_db: float) -> Tensor:
    """Return sqrt(P), of slope 0 where P is 0. Shape: [...] -> [...]."""
    power = power_above(level, floor_db)
    return torch.where(power > 0, torch.where(power > 0, power, 1.0).sqrt(), 0.0)
