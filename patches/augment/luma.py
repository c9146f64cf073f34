# SPDX-License-Identifier: Apache-2.0
"""Four-dimensional "hue" rotations of the CMYK picture: for the record and for comparison, off by default.

Henshaw 2022 carries the hue rotation of picture augmentation over to four channels: K = v u^T - u v^T and
R = exp(theta K), with v = [1,1,1,1]/2 the luma axis and u = [1,1,-1,-1]/2. As u and v are orthonormal, K^3 = -K and
    R = I + sin(theta) K + (1 - cos(theta)) K^2,
which turns the plane (u, v), luma itself among it: R v = cos(theta) v - sin(theta) u. The rotation that keeps both luma
axes turns the plane orthogonal to them, spanned by a = [1,-1,0,0]/sqrt2 and b = [0,0,1,-1]/sqrt2.

What they do to a sound: neither is an operation on it.
- The paper's mixes M's Re + Im with S's Re + Im; the one that keeps luma M's Re - Im with S's Re - Im. Taking Re -+ Im
  of a complex value brings in its conjugate, and a conjugate spectrum is the frame played backwards. The share of the
  energy that comes back reversed is sin^2(theta/2) with either, for M and S of equal energy and random phase: 6 % at
  .5 rad, 23 % at 1, all at pi.
- The paper's also moves luma (what its preview shows as brightness) into u, as its author suspected.
Row 0 holds real numbers (Nyquist, DC) and takes no part in mixing Re and Im.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from patches.augment.transform import Shape, between


def plane_rotation(v: Tensor, u: Tensor, angle_rad: Tensor) -> Tensor:
    """exp(angle (v u^T - u v^T)) for orthonormal v, u. Shape: [4], [4], [n] -> [n, 4, 4]."""
    generator = torch.outer(v, u) - torch.outer(u, v)
    angle = angle_rad[:, None, None]
    return (
        torch.eye(4, dtype=v.dtype, device=v.device)
        + angle.sin() * generator
        + (1 - angle.cos()) * (generator @ generator)
    )


def paper_rotation(angle_rad: Tensor) -> Tensor:
    """Rotate as the paper does, luma with it. Shape: [n] -> [n, 4, 4]."""
    return plane_rotation(_axis(angle_rad, 0.5, 0.5, 0.5, 0.5), _axis(angle_rad, 0.5, 0.5, -0.5, -0.5), angle_rad)


def luma_keeping_rotation(angle_rad: Tensor) -> Tensor:
    """Rotate the plane orthogonal to both luma axes. Shape: [n] -> [n, 4, 4]."""
    half = math.sqrt(0.5)
    return plane_rotation(_axis(angle_rad, half, -half, 0, 0), _axis(angle_rad, 0, 0, half, -half), angle_rad)


def _axis(like: Tensor, *values: float) -> Tensor:
    """Return a vector on a device without a copy from the CPU."""
    return torch.stack([like.new_full((), value) for value in values])


def mix_channels(canvas: Tensor, matrix: Tensor) -> Tensor:
    """Multiply the channels of rows 1 and on by a matrix. Shape: [n, 4, F, T], [n, 4, 4] -> [n, 4, F, T]."""
    mixed = torch.einsum("nij,njft->nift", matrix.to(canvas), canvas[:, :, 1:])
    return torch.cat([canvas[:, :, :1], mixed], dim=2)


@dataclass(frozen=True)
class LumaRotation:
    """One of the two rotations, by any angle.

    Args:
        matrices: angles [n] -> [n, 4, 4].
    """

    name: str
    parameter: str
    matrices: Callable[[Tensor], Tensor]
    identity: ClassVar[float] = 0.0

    def draw(self, uniform: Tensor, shape: Shape) -> Tensor:
        """Uniform on the circle."""
        return between(uniform, -math.pi, math.pi)

    def __call__(self, canvas: Tensor, values: Tensor) -> Tensor:
        return mix_channels(canvas, self.matrices(values))


LUMA_ROTATIONS = (
    LumaRotation("luma-paper", "luma_paper_rad", paper_rotation),
    LumaRotation("luma-kept", "luma_kept_rad", luma_keeping_rotation),
)
