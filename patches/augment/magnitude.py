# SPDX-License-Identifier: Apache-2.0
"""Augmentations of log-magnitude canvases (spect/logmag.py, stereo.py, and mel.py alike).

A canvas is [v] or [v_L, v_R], levels v = 10 log10(P + f) with f the floor's power, and in stereo also
    z = (C + f) / sqrt((P_L + f)(P_R + f)),  C = L conj(R), or a sum of such over a band.
P and C are linear in what real gains do to the pair:
    L' = a L + b R, R' = c L + d R:   P_L' = a^2 P_L + b^2 P_R + 2 a b Re C,
                                      C' = a c P_L + b d P_R + (a d + b c) Re C + i (a d - b c) Im C,
so gain, width and pan are exact, no phase being needed, and the floor is put back as it was. Shift moves whole columns
(T hop samples, but for a window at the ends), swap exchanges levels and conjugates z. Polarity and phase turns change
nothing here: there is nothing to carry.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from patches.augment.level import Gain
from patches.augment.shift import Shift, shift_columns
from patches.augment.stereo import Pan, Swap, Width
from patches.augment.transform import Transform, per_item
from spect.decibels import decibels, floor_power, power_above

LEAST_SHARE = 1e-6  # of a bin's power: -60 dB, where channels cancel; below, the level's slope would have no bound


def change_level(canvas: Tensor, gain_db: Tensor, floor_db: float) -> Tensor:
    """Add decibels to levels without angles, over the floor. Shape: [n, 1 or 2, F, T], [n] -> same."""
    return decibels(power_above(canvas, floor_db) * per_item(torch.pow(10.0, gain_db / 10)), floor_db)


def mix_pair(canvas: Tensor, gains: Tensor, floor_db: float) -> Tensor:
    """Do L' = a L + b R, R' = c L + d R.

    Args:
        gains: ((a, b), (c, d)) of each item.

    Shape: [n, 4, F, T], [n, 2, 2] -> [n, 4, F, T].
    """
    floor = floor_power(floor_db)
    left, right = power_above(canvas[:, :2], floor_db).unbind(1)
    size = torch.pow(10.0, (canvas[:, 0] + canvas[:, 1]) / 20)
    along, across = canvas[:, 2] * size - floor, canvas[:, 3] * size
    a, b, c, d = (gains[:, i, j, None, None] for i in (0, 1) for j in (0, 1))
    power = torch.stack(
        [a**2 * left + b**2 * right + 2 * a * b * along, c**2 * left + d**2 * right + 2 * c * d * along], dim=1
    )
    power = torch.maximum(power, LEAST_SHARE * (left + right)[:, None])
    along = a * c * left + b * d * right + (a * d + b * c) * along
    angle = torch.stack([along + floor, (a * d - b * c) * across], dim=1)
    angle = angle / ((power[:, :1] + floor) * (power[:, 1:] + floor)).sqrt()
    # no sound has |z| > 1; a network's canvas may
    angle = angle / angle.square().sum(1, keepdim=True).clamp_min(1).sqrt()
    return torch.cat([decibels(power, floor_db), angle], dim=1)


@dataclass(frozen=True)
class LevelGain(Gain):
    """Make the sound louder or quieter: more or fewer decibels over the same floor."""

    floor_db: float = -100.0

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        if canvas.shape[1] < 4:
            return change_level(canvas, values, self.floor_db)
        factor = torch.pow(10.0, values / 20)
        return mix_pair(
            canvas, _gains(factor, torch.zeros_like(factor), torch.zeros_like(factor), factor), self.floor_db
        )


@dataclass(frozen=True)
class LevelShift(Shift):
    """Start the sound later or earlier: what enters is at the floor, and in stereo z = 1."""

    floor_db: float = -100.0

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        silence = [self.floor_db] * canvas.shape[1] if canvas.shape[1] < 4 else [self.floor_db, self.floor_db, 1.0, 0.0]
        floors = torch.stack([canvas.new_full((), level) for level in silence])
        return shift_columns(canvas, values, floors[:, None, None])


@dataclass(frozen=True)
class LevelSwap(Swap):
    """Exchange left and right, or not: their levels, and the sign of their angle."""

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        order = [1, 0, 2, 3][: canvas.shape[1]]
        turned = torch.stack([-canvas[:, row] if row == 3 else canvas[:, row] for row in order], dim=1)
        return torch.where(per_item(values) < 0, turned, canvas)


@dataclass(frozen=True)
class LevelWidth(Width):
    """Make the stereo picture wider or narrower: S' = width S, that is L' = (1 + w)/2 L + (1 - w)/2 R."""

    floor_db: float = -100.0

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        same, other = (1 + values) / 2, (1 - values) / 2
        return mix_pair(canvas, _gains(same, other, other, same), self.floor_db)


@dataclass(frozen=True)
class LevelPan(Pan):
    """Turn (M, S) by an angle, which turns (L, R) by it the other way."""

    floor_db: float = -100.0

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        angle = torch.deg2rad(values)
        cos, sin = angle.cos(), angle.sin()
        return mix_pair(canvas, _gains(cos, sin, -sin, cos), self.floor_db)


def _gains(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Shape: [n] each -> [n, 2, 2]."""
    return torch.stack([a, b, c, d], dim=1).unflatten(1, (2, 2))


def level_transforms(channels: int, floor_db: float) -> tuple[Transform, ...]:
    """Return what a canvas of levels bears: one (mid), two (left, right), or four with the angle between them."""
    every = (LevelShift(floor_db=floor_db), LevelGain(floor_db=floor_db))
    if channels == 1:
        return every
    if channels == 2:
        return (*every, LevelSwap())
    return (*every, LevelWidth(floor_db=floor_db), LevelSwap(), LevelPan(floor_db=floor_db))
