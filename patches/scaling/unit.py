# SPDX-License-Identifier: Apache-2.0
"""No scaling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor


@dataclass(frozen=True)
class Unit:
    """Nothing to scale: values lie in [-1, 1] by nature, as a waveform's do."""

    name: ClassVar[str] = "unit"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Unit:
        """Read `to_dict`'s form back."""
        return cls()

    def to_dict(self) -> dict[str, Any]:
        """Give the name."""
        return {"name": self.name}

    def to_model(self, canvas: Tensor) -> Tensor:
        """Return it as it is. Shape: [..., C, F, T] -> same."""
        return canvas

    def from_model(self, picture: Tensor) -> Tensor:
        """Return it as it is. Shape: [..., C, F, T] -> same."""
        return picture
