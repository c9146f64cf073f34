# SPDX-License-Identifier: Apache-2.0
"""Wave: the sound itself as a canvas [channels, 1, L], for networks of waveforms (WaveGAN; Donahue et al. 2019).

Two channels are left and right, and nothing changes; one is mid, (L + R) / 2, and decodes to both sides.
F is 1: no network of pictures learns it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from spect.errors import SoundError
from spect.representation import parameters, register


@register
@dataclass(frozen=True)
class Wave:
    """The waveform.

    Args:
        sample_rate: in Hz.
        length: L, samples; 16 384 is WaveGAN's.
        channels: 2 (left, right) or 1 (mid).
    """

    name: ClassVar[str] = "wave"

    sample_rate: int = 44100
    length: int = 16384
    channels: Literal[1, 2] = 2

    def __post_init__(self) -> None:
        for label in ("sample_rate", "length"):
            value = getattr(self, label)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise SoundError(f"wave: {label} is a whole number from 1 up, got {value!r}")
        if self.channels not in (1, 2):
            raise SoundError(f"wave: channels is 1 or 2, got {self.channels!r}")

    @property
    def samples(self) -> int:
        """L."""
        return self.length

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, 1, L)."""
        return self.channels, 1, self.length

    def encode(self, sound: Tensor) -> Tensor:
        """Turn stereo sounds into canvases.

        Shape: [..., 2, L] -> [..., channels, 1, L].

        Raises:
            SoundError: another shape; padding and cutting are the caller's.
        """
        if sound.shape[-2:] != (2, self.samples):
            raise SoundError(f"wave: sounds are [..., 2, {self.samples}], got {list(sound.shape)}")
        kept = sound if self.channels == 2 else (sound[..., :1, :] + sound[..., 1:, :]) / 2
        return kept.unsqueeze(-2).contiguous()

    def decode(self, canvas: Tensor, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Turn canvases into stereo sounds; differentiable. Nothing is drawn.

        Shape: [..., channels, 1, L] -> [..., 2, L].

        Raises:
            SoundError: another shape.
        """
        if canvas.shape[-3:] != self.shape:
            raise SoundError(f"wave: canvases are [..., {self.channels}, 1, {self.length}], got {list(canvas.shape)}")
        kept = canvas.squeeze(-2)
        return kept if self.channels == 2 else torch.cat([kept, kept], dim=-2)

    @classmethod
    def suited(cls, sample_rate: int, samples: int, rows: int, frames: int, /, **arguments: Any) -> Self:
        """Take the sounds as they are, or their first `length` samples where that is given.

        Raises:
            SoundError: the sounds are shorter than that.
        """
        length = arguments.get("length", samples)
        if length > samples:
            raise SoundError(f"wave: length is {length} samples, the sounds have {samples}; give up to {samples}")
        return cls(sample_rate, **{**arguments, "length": length})

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON."""
        return parameters(self)
