# SPDX-License-Identifier: Apache-2.0
"""Lapped: a sound as the coefficients of an MDCT (spect/mdct.py), overlapping frames without one number too many.

    canvas = (even M, odd M, even S, odd S),   M = (L + R) / 2,  S = (L - R) / 2,  row r holds coefficient F - 1 - r

Frames of 2 F samples, hop F, 2 T of them for L = 2 F T samples: even and odd frames stand in channels of their own, so
that a column holds two. The transform is orthonormal: an error on the values has the same size in the sound, and lies
in windows that overlap, so that it leaves no edge at the frames' borders as in cmyk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from torch import Tensor

from spect.errors import SoundError
from spect.mdct import Mdct
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
        falling = self._transform.forth(to_mid_side(sound)).unflatten(-2, (self.frames, 2))  # [..., 2, T, 2, F]
        return falling.movedim(-3, -1).flatten(-4, -3).contiguous()

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
        falling = canvas.unflatten(-3, (2, 2)).movedim(-1, -3)  # [..., 2, T, 2, F]
        return to_left_right(self._transform.back(falling.flatten(-3, -2)))

    @property
    def _transform(self) -> Mdct:
        return Mdct(self.rows, self.window, self.alpha)

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
