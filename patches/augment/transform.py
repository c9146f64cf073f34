# SPDX-License-Identifier: Apache-2.0
"""What an augmentation is: a named parameter with its range, and a pure function of canvases and drawn values.

Canvases are [n, 4, F, T] (Re M, Im M, Re S, Im S; row 0 the highest frequency), parameters [n], one value an item.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

Shape = tuple[int, int, int]


class Transform(Protocol):
    """One operation on sound, done on its canvas."""

    @property
    def name(self) -> str:
        """As the user spells it."""
        ...

    @property
    def parameter(self) -> str:
        """The drawn value, with its unit."""
        ...

    @property
    def identity(self) -> float:
        """The value that changes nothing."""
        ...

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """Turn numbers of [0, 1) into parameters for canvases of a shape (C, F, T). Shape: [n] -> [n]."""
        ...

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        """Apply. Shape: [n, 4, F, T], [n] -> [n, 4, F, T]."""
        ...


def per_item(values: Tensor) -> Tensor:
    """Shape: [n] -> [n, 1, 1, 1]."""
    return values[:, None, None, None]


def between(uniform: Tensor, low: float, high: float) -> Tensor:
    """Stretch [0, 1) to [low, high)."""
    return low + (high - low) * uniform


def either_sign(uniform: Tensor) -> Tensor:
    """Give -1 or +1: the identity is among what is drawn, so that p = 1 is no fixed flip."""
    return (uniform >= 0.5).to(uniform.dtype) * 2 - 1
