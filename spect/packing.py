# SPDX-License-Identifier: Apache-2.0
"""The four channels that spectra of mid and side become, without one number too many.

    canvas = (Re M, Im M, Re S, Im S),  row r holds bin K - 1 - r,  r = 0 ... F - 1,  K = F + 1

Bins 0 (DC) and F (Nyquist) of a real signal's frame are real: DC takes the imaginary slot of the Nyquist bin, row 0.
"""

import torch
from torch import Tensor


def to_mid_side(sound: Tensor) -> Tensor:
    """M = (L + R) / 2, S = (L - R) / 2. Shape: [..., 2, L] -> [..., 2, L]."""
    left, right = sound.unbind(-2)
    return torch.stack([left + right, left - right], dim=-2).div_(2)


def to_left_right(mid_side: Tensor) -> Tensor:
    """L = M + S, R = M - S. Shape: [..., 2, L] -> [..., 2, L]."""
    mid, side = mid_side.unbind(-2)
    return torch.stack([mid + side, mid - side], dim=-2)


def pack(spectrum: Tensor) -> Tensor:
    """Lay spectra out as canvases. Shape: complex [..., 2, T, F + 1] -> [..., 4, F, T]."""
    imaginary = torch.cat([spectrum.imag[..., 1:-1], spectrum.real[..., :1]], dim=-1)
    parts = torch.stack([spectrum.real[..., 1:], imaginary], dim=-3)  # [..., 2, 2, T, F]
    return parts.flip(-1).transpose(-1, -2).flatten(-4, -3).contiguous()


def unpack(canvas: Tensor) -> Tensor:
    """Undo `pack`. Shape: [..., 4, F, T] -> complex [..., 2, T, F + 1]."""
    parts = canvas.unflatten(-3, (2, 2)).transpose(-1, -2).flip(-1)  # [..., 2, 2, T, F], bins 1 ... F
    real, imaginary = parts.unbind(-3)
    nothing = torch.zeros_like(real[..., :1])
    return torch.complex(
        torch.cat([imaginary[..., -1:], real], dim=-1), torch.cat([nothing, imaginary[..., :-1], nothing], dim=-1)
    )
