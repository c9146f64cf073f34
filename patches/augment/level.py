# SPDX-License-Identifier: Apache-2.0
"""Level: polarity and gain. x -> a x is the same on a sound and on its canvas, both being linear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from patches.augment.transform import Shape, between, either_sign, per_item


def change_polarity(canvas: Tensor, sign: Tensor) -> Tensor:
    """x -> sign * x. Shape: [n, 4, F, T], [n] -> [n, 4, F, T]."""
    return canvas * per_item(sign)


def change_gain(canvas: Tensor, gain_db: Tensor) -> Tensor:
    """x -> 10^(gain_db/20) x. Shape: [n, 4, F, T], [n] -> [n, 4, F, T]."""
    return canvas * per_item(torch.pow(10.0, gain_db / 20))


@dataclass(frozen=True)
class Polarity:
    """Turn the sound upside down, or not."""

    name: ClassVar[str] = "polarity"
    parameter: ClassVar[str] = "polarity_sign"
    identity: ClassVar[float] = 1.0

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """-1 or +1, equally likely."""
        return either_sign(uniform)

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        return change_polarity(canvas, values)


@dataclass(frozen=True)
class Gain:
    """Make the sound louder or quieter."""

    min_gain_db: float = -6.0
    max_gain_db: float = 6.0
    name: ClassVar[str] = "gain"
    parameter: ClassVar[str] = "gain_db"
    identity: ClassVar[float] = 0.0

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """Uniform in dB."""
        return between(uniform, self.min_gain_db, self.max_gain_db)

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        return change_gain(canvas, values)
