# SPDX-License-Identifier: Apache-2.0
"""Stft: the windowed complex spectra of mid and side, frames overlapping, as DrumGAN's (Nistal et al. 2020) choice.

    X[t, k] = (-1)^k sum over n of w[n] x[t hop + hop/2 - W/2 + n] exp(-2 pi i k n / W),   W = 2 F,  hop = W / overlap

The sign counts phases from the frame's middle: an attack there has one phase in all bins. DC rides in the Nyquist
bin's imaginary slot, as in cmyk. canvas = (Re M, Im M, Re S, Im S), row r holds bin F - r.

A canvas holds overlap times as many numbers as its sound: most canvases are no transform of any sound, and decode finds
the sound whose transform is nearest (Griffin and Lim 1984, equation 6). So independent errors average out: they lose
10 log10(overlap) dB. The window is the sine window, whose squares sum to a constant at every overlap, so that what
remains of an error is the same everywhere; with Hann's at hop W/2 it stands out by a quarter between frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from spect.errors import SoundError
from spect.packing import pack, to_left_right, to_mid_side, unpack
from spect.phase.frames import Frames
from spect.preview import picture
from spect.representation import parameters, register
from spect.shapes import choose_shape


@register
@dataclass(frozen=True)
class Stft:
    """Short-time Fourier transform of mid and side.

    Args:
        sample_rate: in Hz.
        rows: F, frequencies, an even number; a frame has 2 F samples.
        frames: T, columns.
        overlap: W / hop, 2 or 4: 4 takes twice the columns for a sound and averages 3 dB more of a network's error out.
        window: 'sine', or 'hann': less leakage far from a tone.
    """

    name: ClassVar[str] = "stft"

    sample_rate: int = 44100
    rows: int = 512
    frames: int = 512
    overlap: Literal[2, 4] = 2
    window: Literal["sine", "hann"] = "sine"

    def __post_init__(self) -> None:
        for label, least in (("sample_rate", 1), ("rows", 2), ("frames", 1)):
            value = getattr(self, label)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SoundError(f"stft: {label} is a whole number from {least} up, got {value!r}")
        if self.overlap not in (2, 4):
            raise SoundError(f"stft: overlap is 2 or 4, got {self.overlap!r}")
        if self.rows % self.overlap:
            raise SoundError(f"stft: rows is a multiple of the overlap ({self.overlap}), got {self.rows}")
        if self.window not in ("sine", "hann"):
            raise SoundError(f"stft: window is 'sine' or 'hann', got {self.window!r}")

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return 2 * self.rows // self.overlap

    @property
    def samples(self) -> int:
        """Samples a canvas, L = hop T."""
        return self.hop * self.frames

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
            raise SoundError(f"stft: sounds are [..., 2, {self.samples}], got {list(sound.shape)}")
        return pack(self._layout.stft(to_mid_side(sound)) * _signs(self.rows, sound.device, sound.dtype))

    def decode(self, canvas: Tensor, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Turn canvases into the stereo sounds whose own canvases are nearest; differentiable. Nothing is drawn.

        Shape: [..., 4, F, T] -> [..., 2, L].

        Raises:
            SoundError: another shape.
        """
        if canvas.shape[-3:] != self.shape:
            raise SoundError(f"stft: canvases are [..., 4, {self.rows}, {self.frames}], got {list(canvas.shape)}")
        return to_left_right(self._layout.istft(unpack(canvas) * _signs(self.rows, canvas.device, canvas.dtype)))

    @property
    def _layout(self) -> Frames:
        """Frame t's middle lies in the middle of the t-th hop."""
        return Frames(2 * self.rows, self.hop, self.frames, self.samples, self.hop // 2, self.window)

    @classmethod
    def suited(cls, sample_rate: int, samples: int, rows: int, frames: int, /, **arguments: Any) -> Self:
        """Choose the trainable F x T near the archive's rows that loses least of the sounds.

        Raises:
            SoundError: the sounds are too short.
        """
        overlap = arguments.get("overlap", cls.overlap)
        wanted = {side: arguments.get(side) for side in ("rows", "frames")}
        f, t = choose_shape(cls.name, samples, rows, lambda f: 2 * f // overlap, **wanted)
        return cls(sample_rate, **{**arguments, "rows": f, "frames": t})

    def preview(self, canvas: Tensor) -> Tensor:
        """Draw canvases as cmyk's. Shape: [N, 4, F, T] -> uint8 [N, F, T, 3]."""
        return picture(canvas)

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON."""
        return parameters(self)


@lru_cache(maxsize=16)
def _signs(rows: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(-1)^k: a turn by half a window. Shape: [F + 1]."""
    with torch.inference_mode(False):  # kept for later, when gradients may be wanted
        return 1 - 2 * (torch.arange(rows + 1, device=device, dtype=dtype) % 2)
