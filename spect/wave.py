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
from torch.nn import functional

from spect.errors import SoundError
from spect.representation import parameters, register

WIDTH, HEIGHT = 512, 128  # pixels of a channel's curve


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

    def preview(self, canvas: Tensor) -> Tensor:
        """Draw canvases as curves, left above right. Shape: [N, channels, 1, L] -> uint8 [N, 128 channels, 512, 3]."""
        return curves(canvas.squeeze(-2))

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON."""
        return parameters(self)


def curves(sound: Tensor) -> Tensor:
    """Draw channels as light curves on black, one below the other, full scale at the edges of each one's strip.

    A column is lit from the least to the largest of its samples, and on to where the column before it ended.

    Shape: [N, channels, L] -> uint8 [N, channels * HEIGHT, WIDTH, 3].
    """
    finite = torch.nan_to_num(sound.detach().float(), nan=0.0, posinf=0.0, neginf=0.0).clamp(-1, 1)
    high, low = functional.adaptive_max_pool1d(finite, WIDTH), -functional.adaptive_max_pool1d(-finite, WIDTH)
    before_high, before_low = (torch.cat([values[..., :1], values[..., :-1]], dim=-1) for values in (high, low))
    top, bottom = (_line(values) for values in (torch.maximum(high, before_low), torch.minimum(low, before_high)))
    lines = torch.arange(HEIGHT, device=sound.device)[:, None]
    lit = (lines >= top[..., None, :]) & (lines <= bottom[..., None, :])  # [N, channels, HEIGHT, WIDTH]
    return (255 * lit.to(torch.uint8)).flatten(1, 2)[..., None].expand(-1, -1, -1, 3).contiguous()


def _line(value: Tensor) -> Tensor:
    """Return the pixel line of a value in [-1, 1], 0 at the top."""
    return ((1 - value) / 2 * (HEIGHT - 1)).round()
