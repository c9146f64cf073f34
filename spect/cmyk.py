# SPDX-License-Identifier: Apache-2.0
"""CMYK-float: a sound as a lossless four-channel picture (Henshaw 2022, section 2.1).

    M = (L + R) / 2,  S = (L - R) / 2                                           (equations 1, 2)
    X[t, k] = sum over n of x[t W + n] exp(-2 pi i k n / W),  k = 0 ... W/2     (unnormalised rfft of frame t)
    canvas = (Re M, Im M, Re S, Im S),  row r holds bin k = W/2 - r,  r = 0 ... W/2 - 1

Frames of W = 2 F samples, rectangular, side by side. So row 0 is the Nyquist bin, row F - 1 the lowest, and bin 0 (DC)
has no row. The paper takes it for zero, which costs up to all of a frame's sound. But X[t, W/2] and X[t, 0] of a real
signal are both real: the imaginary slot of the Nyquist row is free, and DC goes there (dc='packed', the default).
W real numbers carry W samples: the round trip is exact but for float32 rounding, >= 130 dB on any signal.
dc='dropped' is the paper's own: that slot is 0 when written, and ignored when read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch

from spect.errors import SoundError
from spect.packing import pack, to_left_right, to_mid_side, unpack
from spect.preview import picture
from spect.representation import check_counts, parameters, register


@register
@dataclass(frozen=True)
class Cmyk:
    """The archive's representation. The defaults are the paper's: 512 x 512 at 44.1 kHz, 11.9 s.

    Args:
        sample_rate: in Hz.
        rows: F, frequencies; a frame has 2 F samples.
        frames: T, columns.
        dc: 'packed' into the imaginary slot of row 0 (lossless), or 'dropped' (the paper's, old archives).
    """

    name: ClassVar[str] = "cmyk"

    sample_rate: int = 44100
    rows: int = 512
    frames: int = 512
    dc: Literal["packed", "dropped"] = "packed"

    def __post_init__(self) -> None:
        for label, least in (("sample_rate", 1), ("rows", 2), ("frames", 1)):
            value = getattr(self, label)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SoundError(f"cmyk: {label} is a whole number from {least} up, got {value!r}")
        if self.dc not in ("packed", "dropped"):
            raise SoundError(f"cmyk: dc is 'packed' or 'dropped', got {self.dc!r}")

    @property
    def window(self) -> int:
        """Samples a frame, W = 2 F."""
        return 2 * self.rows

    @property
    def samples(self) -> int:
        """Samples a canvas, L = W T."""
        return self.window * self.frames

    @property
    def shape(self) -> tuple[int, int, int]:
        """(4, F, T)."""
        return 4, self.rows, self.frames

    def encode(self, sound: torch.Tensor) -> torch.Tensor:
        """Turn stereo sounds into canvases.

        Shape: [..., 2, L] -> [..., 4, F, T].

        Raises:
            SoundError: another shape; padding and cutting are the caller's.
        """
        if sound.shape[-2:] != (2, self.samples):
            raise SoundError(f"cmyk: sounds are [..., 2, {self.samples}], got {list(sound.shape)}")
        if sound.numel() == 0:  # FFT libraries refuse an empty batch
            return sound.new_zeros(*sound.shape[:-2], *self.shape)
        spectrum = torch.fft.rfft(to_mid_side(sound).unflatten(-1, (self.frames, self.window)))  # [..., 2, T, F + 1]
        return pack(self._without_dc(spectrum))

    def decode(self, canvas: torch.Tensor, *, seeds: Sequence[int] | None = None) -> torch.Tensor:
        """Turn canvases into stereo sounds; differentiable. Nothing is drawn.

        Shape: [..., 4, F, T] -> [..., 2, L].

        Raises:
            SoundError: another shape.
        """
        if canvas.shape[-3:] != self.shape:
            raise SoundError(f"cmyk: canvases are [..., 4, {self.rows}, {self.frames}], got {list(canvas.shape)}")
        if canvas.numel() == 0:
            return canvas.new_zeros(*canvas.shape[:-3], 2, self.samples)
        spectrum = self._without_dc(unpack(canvas))
        return to_left_right(torch.fft.irfft(spectrum, n=self.window).flatten(-2))

    def _without_dc(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Silence bin 0 where it is dropped. Shape: complex [..., F + 1] -> same."""
        if self.dc == "packed":
            return spectrum
        return torch.cat([torch.zeros_like(spectrum[..., :1]), spectrum[..., 1:]], dim=-1)

    @classmethod
    def suited(cls, sample_rate: int, samples: int, rows: int, frames: int, /, **arguments: Any) -> Self:
        """Cut sounds into as many whole frames as they fill; rows are the archive's.

        Raises:
            SoundError: not one frame, or more frames asked for than one past the sounds' end.
        """
        check_counts(cls.name, arguments)
        chosen = {"rows": rows, **arguments}
        whole = samples // (2 * chosen["rows"])
        if chosen.get("frames", 0) > whole + 1:
            raise SoundError(
                f"cmyk: {chosen['rows']}x{chosen['frames']} takes {2 * chosen['rows'] * chosen['frames']} samples, "
                f"the sounds have {samples}; give up to {whole + 1} frames"
            )
        return cls(sample_rate, **{"frames": whole, **chosen})

    def preview(self, canvas: torch.Tensor) -> torch.Tensor:
        """Draw canvases as the paper does. Shape: [N, 4, F, T] -> uint8 [N, F, T, 3]."""
        return picture(canvas)

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON."""
        return parameters(self)


def to_file_layout(canvas: np.ndarray) -> np.ndarray:
    """Bring a canvas into the order of the paper's files. Shape: [4, F, T] -> [F, T, 4], float32, contiguous."""
    return np.ascontiguousarray(np.moveaxis(canvas, -3, -1), dtype=np.float32)


def from_file_layout(values: np.ndarray) -> np.ndarray:
    """Bring a file's values into the order of canvases. Shape: [F, T, 4] -> [4, F, T], float32, contiguous."""
    return np.ascontiguousarray(np.moveaxis(values, -1, -3), dtype=np.float32)
