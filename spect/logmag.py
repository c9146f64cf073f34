# SPDX-License-Identifier: Apache-2.0
"""Logmag: log power of the short-time spectrum, its phase found afterwards.

    canvas = 10 log10(P + f),   P[t, k] = |4 / W X[t, k]|^2,   f = 10^(floor_db / 10),   row r holds bin F - 1 - r

X: STFT under Hann's window of W = 2 F samples; a full-scale sine peaks at 0 dB. Of its F + 1 bins the last (Nyquist)
has no row; at decode it takes its neighbour's value, worth 1 dB on white noise. One channel is the mid; two are left
and right.
The floor is soft: f is added, and taken off again at decode. So silence has the value floor_db, that value and all
below mean silence, exactly, and the curve between has no corner.

Lossy: magnitudes come back only as well as a phase is found for them. Spectral convergence in dB, median over parts of
shared/audio (bench/phase.py; drums 128x128, loops 512x512, notes 512x256):
    Griffin-Lim, plain, 10 and 16           drums -12.1, -12.8    loops -12.4, -13.8    notes -13.0, -14.0
    Griffin-Lim, accelerated, 32 and 100          -18.5, -22.0          -22.7, -27.5          -21.1, -26.2
    PGHI, and with Griffin-Lim 32 (default)       -14.6, -24.2          -16.7, -26.9          -14.3, -35.7
    worst decile: accelerated 32, default         -11.0, -16.7          -18.7, -23.3          -18.5, -24.3
The two channels share their phase, found for sqrt(P_left + P_right): equal channels stay equal, and level differences
stay, but differences of phase are lost (`stereo` keeps them).

The seeds' own: ElectroGAN (001) is rows=1024, frames=1024, hop=1025, first=0, samples=1048576, inverse="griffin-lim",
iterations=10, momentum=0.0; SpecGAN (003) is rows=128, frames=128, hop=128, first=64, samples=16384 at 16 kHz,
inverse="griffin-lim", iterations=16, momentum=0.0 (its own first=128 leaves sample 0 to a window's 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from spect.decibels import decibels, magnitude_above
from spect.errors import SoundError
from spect.phase.frames import Frames
from spect.phase.griffin_lim import joint_griffin_lim
from spect.phase.inverse import Inverse, by_items, check_inverse
from spect.phase.layout import suited_layout
from spect.phase.pghi import pghi
from spect.preview import levels
from spect.representation import parameters, register


@register
@dataclass(frozen=True)
class Logmag:
    """Log power, of mid or of left and right.

    Args:
        sample_rate: in Hz.
        rows: F, frequencies; a frame has W = 2 F samples.
        frames: T, columns.
        hop: samples from one column to the next, less than W; W / 4 is what phase is found best from.
        first: the sample at the centre of column 0.
        samples: L, the sound's length.
        channels: 1: the mid; 2: left and right.
        floor_db: the level of silence, below a full-scale sine.
        inverse: how decode finds phases.
        iterations, momentum: of Griffin-Lim; momentum 0 is the plain one.
    """

    name: ClassVar[str] = "logmag"

    sample_rate: int = 44100
    rows: int = 1024
    frames: int = 1024
    hop: int = 512
    first: int = 256
    samples: int = 524288
    channels: Literal[1, 2] = 1
    floor_db: float = -100.0
    inverse: Inverse = "pghi+griffin-lim"
    iterations: int = 32
    momentum: float = 0.99

    def __post_init__(self) -> None:
        if not isinstance(self.sample_rate, int) or self.sample_rate < 1:
            raise SoundError(f"logmag: sample_rate is a whole number from 1 up, got {self.sample_rate!r}")
        if self.channels not in (1, 2):
            raise SoundError(f"logmag: channels is 1 (mid) or 2 (left, right), got {self.channels!r}")
        if not -150 <= self.floor_db < 0:
            raise SoundError(f"logmag: floor_db lies from -150 to 0, got {self.floor_db!r}")
        check_inverse(self.name, self.inverse, self.iterations, self.momentum)
        _ = self.layout

    @property
    def layout(self) -> Frames:
        """Where the frames lie."""
        return Frames(2 * self.rows, self.hop, self.frames, self.samples, self.first)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, F, T)."""
        return self.channels, self.rows, self.frames

    def encode(self, sound: Tensor) -> Tensor:
        """Turn stereo sounds into canvases; differentiable.

        Shape: [..., 2, L] -> [..., channels, F, T], in dB, floor_db and up.

        Raises:
            SoundError: another shape; padding and cutting are the caller's.
        """
        if sound.shape[-2:] != (2, self.samples):
            raise SoundError(f"logmag: sounds are [..., 2, {self.samples}], got {list(sound.shape)}")
        heard = sound if self.channels == 2 else sound.mean(-2, keepdim=True)
        spectrum = self.layout.stft(heard)[..., :-1] * (4 / self.layout.window)
        return decibels(spectrum.real.square() + spectrum.imag.square(), self.floor_db).mT.flip(-2)

    def decode(self, canvas: Tensor, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Turn canvases into stereo sounds, phases found; differentiable in the magnitudes, the phases held.

        Args:
            seeds: one an item, for the phases of chance that the search starts from; None: 0 for each.

        Shape: [..., channels, F, T] -> [..., 2, L].

        Raises:
            SoundError: another shape, or another number of seeds.
        """
        if canvas.shape[-3:] != self.shape:
            raise SoundError(f"logmag: canvases are [..., {', '.join(map(str, self.shape))}], got {list(canvas.shape)}")
        if canvas.numel() == 0:
            return canvas.new_zeros(*canvas.shape[:-3], 2, self.samples)
        magnitude = self.magnitude(canvas.reshape(-1, *self.shape))
        with torch.no_grad():
            turn = by_items(self._turn, magnitude, seeds, self.name)
        sound = self.layout.istft(magnitude * turn)
        return sound.expand(-1, 2, -1).reshape(*canvas.shape[:-3], 2, self.samples)

    def magnitude(self, canvas: Tensor) -> Tensor:
        """Return |X| of canvases, exactly 0 at the floor. Shape: -> [..., C, T, F + 1]."""
        magnitude = magnitude_above(canvas.flip(-2).mT, self.floor_db) * (self.layout.window / 4)
        return torch.cat([magnitude, magnitude[..., -1:]], dim=-1)

    def _turn(self, magnitude: Tensor, chance: Tensor) -> Tensor:
        """Find e^(i phase), one for all channels. Shape: [n, C, T, K], [n, T, K] -> complex [n, 1, T, K]."""
        phase = chance
        if self.inverse != "griffin-lim":
            phase = pghi(self.layout, magnitude.square().sum(1).sqrt(), chance=chance)
        rounds = 0 if self.inverse == "pghi" else self.iterations
        return joint_griffin_lim(self.layout, magnitude, phase=phase, iterations=rounds, momentum=self.momentum)

    @classmethod
    def suited(cls, sample_rate: int, samples: int, rows: int, frames: int, /, **arguments: Any) -> Self:
        """Choose the F x T nearest to a square with a hop of W/4 (spect/phase/layout.py).

        Raises:
            SoundError: the sounds are too short, or what is given can't be had together.
        """
        return cls(sample_rate, **{**arguments, **suited_layout(cls.name, samples, arguments)})

    def preview(self, canvas: Tensor) -> Tensor:
        """Draw in dB, rows in octaves. Shape: [N, channels, F, T] -> uint8 [N, F, T, 3]."""
        return levels(canvas, floor_db=self.floor_db)

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON."""
        return parameters(self)
