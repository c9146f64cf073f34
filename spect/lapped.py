# SPDX-License-Identifier: Apache-2.0
"""Lapped: a sound as the coefficients of an MDCT, overlapping frames without one number too many.

    X[j, k] = sqrt(2 / F) sum over n of w[n] x[(j - 1/2) F + n] cos(pi / F (n + 1/2 - F/2)(k + 1/2)),   n = 0 ... 2F - 1
    w[n]^2 + w[n + F]^2 = 1,   w[2F - 1 - n] = w[n]                       (Princen, Johnson and Bradley 1987)

Frames of 2 F samples, hop F, 2 T of them for L = 2 F T samples. Even and odd frames stand in channels of their own, so
that a column holds two: canvas = (even M, odd M, even S, odd S), M = (L + R) / 2, S = (L - R) / 2; row r holds
k = F - 1 - r. Where frame 0 would reach before the sound, and the last one past its end, that half of its window is
rectangular. (The papers' cosine has + F/2: that is, but for the sign, this transform of the reversed sound.)

Computed as what it is, an orthonormal lapped transform (Malvar 1990): at each border between blocks of F samples, the
samples l and u at equal distance m + 1/2 before and after it are turned by an angle,
    u' = c u + s l,   l' = c l - s u,   c = w[F/2 + m],   s = w[F/2 - 1 - m],   c^2 + s^2 = 1,
then each block goes through a DCT-IV. Its inverse is its transpose: an error on the coefficients has the same size in
the sound, and lies in windows that overlap, so that it leaves no edge at the frames' borders as in cmyk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from scipy.signal.windows import kaiser_bessel_derived
from torch import Tensor

from spect.errors import SoundError
from spect.packing import to_left_right, to_mid_side
from spect.preview import picture
from spect.representation import parameters, register
from spect.shapes import choose_shape


@register
@dataclass(frozen=True)
class Lapped:
    """MDCT of mid and side.

    Args:
        sample_rate: in Hz.
        rows: F, frequencies, an even number; a frame has 2 F samples, half of them the next frame's too.
        frames: T, columns of two frames each.
        window: 'sine', or 'kbd' (Kaiser-Bessel derived): less leakage far from a tone, more beside it.
        alpha: of 'kbd': 4 is AAC's for long frames.
    """

    name: ClassVar[str] = "lapped"

    sample_rate: int = 44100
    rows: int = 512
    frames: int = 512
    window: Literal["sine", "kbd"] = "sine"
    alpha: float = 4.0

    def __post_init__(self) -> None:
        for label, least in (("sample_rate", 1), ("rows", 2), ("frames", 1)):
            value = getattr(self, label)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SoundError(f"lapped: {label} is a whole number from {least} up, got {value!r}")
        if self.rows % 2:
            raise SoundError(f"lapped: rows is even, got {self.rows}")
        if self.window not in ("sine", "kbd"):
            raise SoundError(f"lapped: window is 'sine' or 'kbd', got {self.window!r}")
        if not 0 < self.alpha <= 50:
            raise SoundError(f"lapped: alpha is above 0 and at most 50, got {self.alpha!r}")

    @property
    def samples(self) -> int:
        """Samples a canvas, L = 2 F T."""
        return 2 * self.rows * self.frames

    @property
    def shape(self) -> tuple[int, int, int]:
        """(4, F, T)."""
        return 4, self.rows, self.frames

    def encode(self, sound: Tensor) -> Tensor:
        """Turn stereo sounds into canvases.

        Shape: [..., 2, L] -> [..., 4, F, T].

        Raises:
            SoundError: another shape; padding and cutting are the caller's.
        """
        if sound.shape[-2:] != (2, self.samples):
            raise SoundError(f"lapped: sounds are [..., 2, {self.samples}], got {list(sound.shape)}")
        if sound.numel() == 0:  # FFT libraries refuse an empty batch
            return sound.new_zeros(*sound.shape[:-2], *self.shape)
        blocks = self._turn(to_mid_side(sound).unflatten(-1, (2 * self.frames, self.rows)), 1)
        coefficients = dct_iv(blocks).unflatten(-2, (self.frames, 2))  # [..., 2, T, 2, F]
        return coefficients.flip(-1).movedim(-3, -1).flatten(-4, -3).contiguous()

    def decode(self, canvas: Tensor, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Turn canvases into stereo sounds; differentiable. Nothing is drawn.

        Shape: [..., 4, F, T] -> [..., 2, L].

        Raises:
            SoundError: another shape.
        """
        if canvas.shape[-3:] != self.shape:
            raise SoundError(f"lapped: canvases are [..., 4, {self.rows}, {self.frames}], got {list(canvas.shape)}")
        if canvas.numel() == 0:
            return canvas.new_zeros(*canvas.shape[:-3], 2, self.samples)
        coefficients = canvas.unflatten(-3, (2, 2)).movedim(-1, -3).flip(-1)  # [..., 2, T, 2, F]
        return to_left_right(self._turn(dct_iv(coefficients.flatten(-3, -2)), -1).flatten(-2))

    def _turn(self, blocks: Tensor, direction: int) -> Tensor:
        """Turn the samples on both sides of each border between blocks, forth (1) or back (-1).

        Shape: [..., 2T, F] -> same.
        """
        cos, sin = _turns(self.rows, self.window, self.alpha, blocks.device, blocks.dtype)
        early, late = blocks.chunk(2, dim=-1)
        before, after = late[..., :-1, :], early[..., 1:, :]
        mirrored_sin = direction * sin.flip(-1)
        new_after = cos * after + direction * sin * before.flip(-1)
        new_before = cos.flip(-1) * before - mirrored_sin * after.flip(-1)
        early = torch.cat([early[..., :1, :], new_after], dim=-2)
        late = torch.cat([new_before, late[..., -1:, :]], dim=-2)
        return torch.cat([early, late], dim=-1)

    @classmethod
    def suited(cls, sample_rate: int, samples: int, rows: int, frames: int, /, **arguments: Any) -> Self:
        """Choose the trainable F x T near the archive's rows that loses least of the sounds.

        Raises:
            SoundError: the sounds are too short.
        """
        wanted = {side: arguments.get(side) for side in ("rows", "frames")}
        f, t = choose_shape(cls.name, samples, rows, lambda f: 2 * f, **wanted)
        return cls(sample_rate, **{**arguments, "rows": f, "frames": t})

    def preview(self, canvas: Tensor) -> Tensor:
        """Draw canvases: mid is red and green, side blue and white. Shape: [N, 4, F, T] -> uint8 [N, F, T, 3]."""
        return picture(canvas, dc_slot=False)

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON."""
        return parameters(self)


def dct_iv(signal: Tensor) -> Tensor:
    """Return the orthonormal DCT-IV of the last axis, of even length F: its own inverse.

        X[k] = sqrt(2 / F) sum over n of x[n] cos(pi / F (n + 1/2)(k + 1/2))

    With t[m] = exp(-i pi (m + 1/8) / F), m = 0 ... F/2 - 1:
        y[k] = t[k] FFT of (t[m] (x[2 m] + i x[F - 1 - 2 m])),   X[2 k] = Re y[k],   X[F - 1 - 2 k] = -Im y[k].

    Shape: [..., F] -> [..., F].
    """
    twiddle = _twiddle(signal.shape[-1], signal.device, signal.dtype)
    folded = torch.complex(signal[..., 0::2].contiguous(), signal[..., 1::2].flip(-1))
    turned = torch.fft.fft(folded * twiddle) * twiddle
    return torch.stack([turned.real, -turned.imag.flip(-1)], dim=-1).flatten(-2)


@lru_cache(maxsize=32)
def _twiddle(length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """t times the fourth root of 2 / F. Shape: complex [F / 2]."""
    angle = -np.pi * (np.arange(length // 2) + 1 / 8) / length
    values = (2 / length) ** 0.25 * np.exp(1j * angle)
    with torch.inference_mode(False):  # kept for later, when gradients may be wanted
        return torch.from_numpy(values).to(device, torch.complex128 if dtype == torch.float64 else torch.complex64)


@lru_cache(maxsize=32)
def _turns(rows: int, window: str, alpha: float, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the turn at distance m + 1/2 from a border: w[F/2 + m] and w[F/2 - 1 - m]. Shape: [F / 2]."""
    if window == "sine":
        rising = np.sin(np.pi * (np.arange(rows) + 0.5) / (2 * rows))
    else:
        rising = kaiser_bessel_derived(2 * rows, np.pi * alpha)[:rows]
    half = rows // 2
    with torch.inference_mode(False):
        cos, sin = (
            torch.from_numpy(values.copy()).to(device, dtype) for values in (rising[half:], rising[half - 1 :: -1])
        )
        return cos, sin
