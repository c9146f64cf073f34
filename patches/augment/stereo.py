# SPDX-License-Identifier: Apache-2.0
"""Place in the stereo picture: width, left-right swap, pan rotation, all of them 2x2 matrices on (M, S).

M = (L+R)/2, S = (L-R)/2. Every value of a canvas is linear in its sound, so the same real matrix on the canvas's (M, S)
(Re with Re, Im with Im; in the packed row Nyquist with Nyquist and DC with DC) is that matrix on the sound's. The
first half of the channels is M's, the other S's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from patches.augment.transform import Shape, Transform, between, either_sign, per_item


def change_width(canvas: Tensor, width: Tensor) -> Tensor:
    """S -> width * S: 0 is mono, 1 changes nothing. Shape: [n, C, F, T], [n] -> same."""
    mid, side = canvas.chunk(2, dim=1)
    return torch.cat([mid, side * per_item(width)], dim=1)


def rotate_pan(canvas: Tensor, angle_deg: Tensor) -> Tensor:
    """Rotate (M, S): a centred sound at +45 degrees is all left. Shape: [n, C, F, T], [n] -> same."""
    mid, side = canvas.chunk(2, dim=1)
    angle = per_item(angle_deg * (math.pi / 180))
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([cos * mid - sin * side, sin * mid + cos * side], dim=1)


@dataclass(frozen=True)
class Width:
    """Make the stereo picture wider or narrower; never mono, which no later step could undo."""

    min_width: float = 0.5
    max_width: float = 2.0
    name: ClassVar[str] = "width"
    parameter: ClassVar[str] = "width"
    identity: ClassVar[float] = 1.0

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """Uniform in log width."""
        return between(uniform, math.log(self.min_width), math.log(self.max_width)).exp()

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        return change_width(canvas, values)


@dataclass(frozen=True)
class Swap:
    """Exchange left and right, or not: S -> -S."""

    name: ClassVar[str] = "swap"
    parameter: ClassVar[str] = "swap_sign"
    identity: ClassVar[float] = 1.0

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """-1 or +1, equally likely."""
        return either_sign(uniform)

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        return change_width(canvas, values)


@dataclass(frozen=True)
class Pan:
    """Turn the stereo picture; power over all of (M, S) is kept."""

    min_angle_deg: float = -30.0
    max_angle_deg: float = 30.0
    name: ClassVar[str] = "pan"
    parameter: ClassVar[str] = "pan_deg"
    identity: ClassVar[float] = 0.0

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """Uniform in degrees."""
        return between(uniform, self.min_angle_deg, self.max_angle_deg)

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        return rotate_pan(canvas, values)


@dataclass(frozen=True)
class OnLeftRight:
    """A transform of (M, S) for canvases of (L, R), as a waveform's.

    Args:
        inner: what it does to mid and side.
    """

    inner: Transform

    @property
    def name(self) -> str:
        """The inner one's."""
        return self.inner.name

    @property
    def parameter(self) -> str:
        """The inner one's."""
        return self.inner.parameter

    @property
    def identity(self) -> float:
        """The inner one's."""
        return self.inner.identity

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """As the inner one."""
        return self.inner.draw(uniform, shape)

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        """Apply. Shape: [n, 2, F, T], [n] -> [n, 2, F, T]."""
        left, right = canvas.chunk(2, dim=1)
        mid, side = self.inner(torch.cat([(left + right) / 2, (left - right) / 2], dim=1), values).chunk(2, dim=1)
        return torch.cat([mid + side, mid - side], dim=1)
