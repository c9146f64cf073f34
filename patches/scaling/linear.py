# SPDX-License-Identifier: Apache-2.0
"""One factor for all values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from patches.errors import UserError
from patches.scaling.scales import Scales


@dataclass(frozen=True)
class Linear:
    """One factor for every value (Henshaw 2022's setting); kept for comparison: raw coefficients train badly.

    Args:
        factor: the value that becomes 1, the largest of the fitted scales.
    """

    factor: float
    name: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.factor) and self.factor > 0):
            raise UserError(f"linear: factor is {self.factor}; allowed: finite and > 0")
        object.__setattr__(self, "factor", float(np.float32(self.factor)))

    @classmethod
    def fit(cls, scales: Scales) -> Linear:
        """Take the largest scale."""
        return cls(max([*scales.rows, *([] if scales.dc is None else [scales.dc])]))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Linear:
        """Read `to_dict`'s form back, exactly."""
        return cls(values["factor"])

    def to_dict(self) -> dict[str, Any]:
        """Give the parameter as JSON types, exactly."""
        return {"name": self.name, "factor": self.factor}

    def to_model(self, canvas: Tensor) -> Tensor:
        """Divide. Shape: [..., C, F, T] -> same."""
        return canvas / self.factor

    def from_model(self, picture: Tensor) -> Tensor:
        """Multiply. Shape: [..., C, F, T] -> same."""
        return picture * self.factor
