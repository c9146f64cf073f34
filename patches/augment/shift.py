# SPDX-License-Identifier: Apache-2.0
"""Shift in time by whole columns, filled with silence: on frames that don't overlap, exactly k * window samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from patches.augment.transform import Shape, between


def shift_columns(canvas: Tensor, columns: Tensor, silence: Tensor | float = 0.0) -> Tensor:
    """Move to later (columns > 0) or earlier by whole columns; what leaves is lost, what enters is silence.

    Columns go round first and the wrapped ones are then blanked: each is read once, so that the gradient's sum has one
    term and no order to depend on.

    Args:
        silence: its value, one for all or one a channel, [C, 1, 1].

    Shape: [n, C, F, T], whole numbers [n] -> [n, C, F, T].
    """
    frames = canvas.shape[-1]
    source = torch.arange(frames, device=canvas.device) - columns.round().long()[:, None]
    inside = (source >= 0) & (source < frames)
    moved = canvas.gather(-1, source.remainder(frames)[:, None, None, :].expand_as(canvas))
    return torch.where(inside[:, None, None, :], moved, silence)


@dataclass(frozen=True)
class Shift:
    """Start the sound later or earlier.

    Args:
        max_fraction: the furthest shift either way, as a part of the canvas's T columns.
    """

    max_fraction: float = 0.125
    name: ClassVar[str] = "shift"
    parameter: ClassVar[str] = "shift_columns"
    identity: ClassVar[float] = 0.0

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """Whole columns, each number from -most to +most equally likely."""
        most = int(self.max_fraction * shape[2])
        return between(uniform, -most, most + 1).floor().clamp(max=most)

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        return shift_columns(canvas, values)
