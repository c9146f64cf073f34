# SPDX-License-Identifier: Apache-2.0
"""What two channels' spectra are but for the phase that they share, as four smooth values a bin, and back.

    v_L = 10 log10(|L|^2 + f),  v_R = 10 log10(|R|^2 + f),  z = (L conj(R) + f) / sqrt((|L|^2 + f)(|R|^2 + f))

f is the power of the floor, a sound that is the same in both channels. |z| <= 1; equal channels have z = 1 at every
level. Equal channels give equal levels and a z without imaginary part, and these give equal channels, bit for bit.
"""

import torch
from torch import Tensor

from spect.decibels import decibels, floor_power, magnitude_above


def pair_values(left: Tensor, right: Tensor, floor_db: float) -> Tensor:
    """Return v_L, v_R, Re z, Im z. Shape: complex [..., T, K] twice -> [..., 4, T, K]."""
    power = [x.real.square() + x.imag.square() for x in (left, right)]
    levels = [decibels(x, floor_db) for x in power]
    # vectorised logarithms may round alike numbers in unlike ways at an array's end
    levels[1] = torch.where(power[0] == power[1], levels[0], levels[1])
    floor = floor_power(floor_db)
    size = torch.sqrt((power[0] + floor) * (power[1] + floor))  # the root of a square is exact: equal channels have 1
    along = (left.real * right.real + left.imag * right.imag + floor) / size
    across = (left.imag * right.real - left.real * right.imag) / size
    return torch.stack([*levels, along, across], dim=-3)


def pair_spectra(values: Tensor, floor_db: float) -> tuple[Tensor, Tensor]:
    """Return left and right, turned so that right is real and positive.

    z may have any modulus: its direction is taken, after the floor is off.

    Shape: [..., 4, T, K] -> complex [..., T, K] twice.
    """
    levels, along, across = values[..., :2, :, :], values[..., 2, :, :], values[..., 3, :, :]
    left, right = magnitude_above(levels, floor_db).unbind(-3)
    right = torch.where(levels[..., 0, :, :] == levels[..., 1, :, :], left, right)
    # relative to the floor, as f / sqrt((P_L + f)(P_R + f)) <= 1
    least = torch.pow(10.0, (2 * floor_db - levels.sum(-3)) / 20)
    along = along - least
    along = torch.where((along == 0) & (across == 0), 1.0, along)
    size = torch.hypot(along, across)
    along, across = along / size, across / size
    return torch.complex(left * along, left * across), torch.complex(right, torch.zeros_like(right))
