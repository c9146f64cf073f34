# SPDX-License-Identifier: Apache-2.0
"""A transform of complex values, for canvases that say the same in other words: there, transform, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from patches.augment.transform import Shape, Transform


class Parts(Protocol):
    """A representation whose canvases can be had as channels (Re, Im), linear in the sound."""

    def to_parts(self, canvas: Tensor) -> Tensor:
        """Shape: [n, C, F, T] -> same."""
        ...

    def from_parts(self, parts: Tensor) -> Tensor:
        """Shape: [n, C, F, T] -> same."""
        ...


@dataclass(frozen=True)
class Through:
    """Another transform, done on a canvas's complex values.

    Args:
        form: the canvas's representation.
        transform: of canvases (Re M, Im M, Re S, Im S).
    """

    form: Parts
    transform: Transform

    @property
    def name(self) -> str:
        """The transform's."""
        return self.transform.name

    @property
    def parameter(self) -> str:
        """The transform's."""
        return self.transform.parameter

    @property
    def identity(self) -> float:
        """The transform's."""
        return self.transform.identity

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """As the transform does. Shape: [n] -> [n]."""
        return self.transform.draw(uniform, shape)

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        return self.form.from_parts(self.transform(self.form.to_parts(canvas), values))
