# SPDX-License-Identifier: Apache-2.0
"""Mean and deviation, for logarithmic magnitudes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError
from spect.resident import Resident

SIGMAS = 3.0
HEADROOM = 0.1  # above a row's highest value, in what becomes 1
STILL = 0.01  # of the largest deviation: rows that never move must not become full scale


@dataclass(frozen=True)
class Standard:
    """Mean and deviation of the data, for logarithmic magnitudes: y = (x - mean) / (3 deviation), clipped to [-1, 1].

    Clipped in both directions: a value that never occurs is no level to decode. Neither is one far above the highest
    that occurs in its row: an untrained network's pictures would come out tens of dB over full scale.

    Args:
        mean, deviation, highest: by channel and row, C x F, row 0 first; kept as float32 values.
        sigmas: how many deviations become 1 (facts: SpecGAN's and ElectroGAN's 3).
    """

    mean: tuple[tuple[float, ...], ...]
    deviation: tuple[tuple[float, ...], ...]
    highest: tuple[tuple[float, ...], ...]
    sigmas: float = SIGMAS
    name: ClassVar[str] = "standard"

    def __post_init__(self) -> None:
        for label in ("mean", "deviation", "highest"):
            rows = tuple(tuple(float(np.float32(v)) for v in row) for row in getattr(self, label))
            object.__setattr__(self, label, rows)
        values = [v for rows in (self.mean, self.deviation, self.highest) for row in rows for v in row]
        if not all(math.isfinite(v) for v in values) or not all(v > 0 for row in self.deviation for v in row):
            raise UserError("standard: means and deviations must be finite, deviations above 0")

    @classmethod
    def fit(cls, mean: Tensor, deviation: Tensor, highest: Tensor, unit: Sequence[int] = ()) -> Standard:
        """Take the data's numbers; a row that hardly moves counts as moving a hundredth of the one that moves most.

        Args:
            unit: channels that lie in [-1, 1] by nature: they pass unchanged.

        Shape: [C, F] each.

        Raises:
            UserError: nothing moves at all: every sound is silent.
        """
        mean, deviation, highest = (values.double().clone() for values in (mean, deviation, highest))
        others = [channel for channel in range(len(mean)) if channel not in unit]
        largest = deviation[others].max()
        if not float(largest) > 0:
            raise UserError("every sound for training is silent: there is no level to scale by; choose other sounds")
        deviation = deviation.clamp_min(STILL * float(largest))
        mean[list(unit)], deviation[list(unit)], highest[list(unit)] = 0.0, 1 / SIGMAS, 1.0
        return cls(_nested(mean), _nested(deviation), _nested(highest))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Standard:
        """Read `to_dict`'s form back, exactly."""
        tables = {label: _nested(values[label]) for label in ("mean", "deviation", "highest")}
        return cls(**tables, sigmas=values["sigmas"])

    def to_dict(self) -> dict[str, Any]:
        """Give the parameters as JSON types, exactly."""
        tables = {"mean": self.mean, "deviation": self.deviation, "highest": self.highest}
        lists = {label: [list(row) for row in rows] for label, rows in tables.items()}
        return {"name": self.name, **lists, "sigmas": self.sigmas}

    def to_model(self, canvas: Tensor) -> Tensor:
        """Standardise. Shape: [..., C, F, T] -> same, in [-1, 1]."""
        mean, spread, _ = (values.like(canvas) for values in self._numbers)
        return ((canvas - mean) / spread).clamp(-1, 1)

    def from_model(self, picture: Tensor) -> Tensor:
        """Undo `to_model` on [-1, 1]; what lies beyond is taken for -1 or 1. Shape: [..., C, F, T] -> same."""
        wide = picture if picture.dtype == torch.float64 else picture.float()
        mean, spread, ceiling = (values.like(wide) for values in self._numbers)
        return torch.minimum(wide.clamp(-1, 1) * spread + mean, ceiling)

    @cached_property
    def _numbers(self) -> tuple[Resident, Resident, Resident]:
        """Mean, the distance that becomes 1, and the highest value that comes back. Shape: [C, F, 1] each."""
        tables = (self.mean, self.deviation, self.highest)
        mean, deviation, highest = (torch.tensor(v, dtype=torch.float32)[..., None] for v in tables)
        spread = deviation * self.sigmas
        return Resident(mean), Resident(spread), Resident(highest + HEADROOM * spread)


def _nested(values: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in row) for row in values)
