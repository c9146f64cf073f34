# SPDX-License-Identifier: Apache-2.0
"""Stereo as four smooth channels: how loud left and right are, and by which angle they differ.

    canvas = 10 log10(P_L + f), 10 log10(P_R + f), Re z, Im z,     z = (L conj(R) + f) / sqrt((P_L + f)(P_R + f))

L, R: STFT under Hann's window of W = 2 F samples, a full-scale sine peaking at 1; P_L = |L|^2, P_R = |R|^2;
f = 10^(floor_db / 10), a floor that is the same in both channels; row r holds bin F - 1 - r. Well above the floor
z = e^(i (arg L - arg R)): the cosine and the sine of the phase difference. Its weight falls to 0 where one channel is
silent, and where both are, z goes to 1: that of mono. So a mono sound has z = 1 everywhere, at every level.

A canvas holds the spectra of left and right but for one phase that they share. Its start is PGHI's for the loudest real
mixture of the two, cos(a) M + sin(a) S, whose magnitude the canvas knows exactly: a true signal's, which costs nothing
and gains 3 to 7 dB against sqrt(P_L + P_R). Griffin-Lim refines it, for both at once (spect/phase/griffin_lim.py).
All is computed on mid and side: where left equals right the side is 0 from the first to the last, so a mono sound comes
back mono bit for bit. Bin F (Nyquist) has no row; at decode it takes its neighbour's value.

Lossy: spectral convergence of both channels as logmag's (drums -24.2 dB, loops -26.8, notes -33.1). Over the 217 stereo
files of shared/audio the correlation of left and right moves by .0052 at most (medians .0001 to .0007), the width (side
energy over mid energy) by .0156 at most; its 252 mono ones stay mono exactly (bench/phase.py --image-only).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from spect.errors import SoundError
from spect.interchannel import pair_spectra, pair_values
from spect.packing import to_left_right, to_mid_side
from spect.phase.frames import Frames
from spect.phase.griffin_lim import joint_griffin_lim
from spect.phase.inverse import Inverse, by_items, check_inverse
from spect.phase.layout import suited_layout
from spect.phase.pghi import pghi
from spect.preview import levels
from spect.representation import parameters, register


@register
@dataclass(frozen=True)
class Stereo:
    """Log power of left and right, cosine and sine of their phase difference.

    Args:
        sample_rate: in Hz.
        rows: F, frequencies; a frame has W = 2 F samples.
        frames: T, columns.
        hop: samples from one column to the next, less than W; W / 4 is what phase is found best from.
        first: the sample at the centre of column 0.
        samples: L, the sound's length.
        floor_db: the level of silence, below a full-scale sine.
        inverse: how decode finds phases.
        iterations, momentum: of Griffin-Lim; momentum 0 is the plain one.
    """

    name: ClassVar[str] = "stereo"

    sample_rate: int = 44100
    rows: int = 1024
    frames: int = 1024
    hop: int = 512
    first: int = 256
    samples: int = 524288
    floor_db: float = -100.0
    inverse: Inverse = "pghi+griffin-lim"
    iterations: int = 32
    momentum: float = 0.99

    def __post_init__(self) -> None:
        if not isinstance(self.sample_rate, int) or self.sample_rate < 1:
            raise SoundError(f"stereo: sample_rate is a whole number from 1 up, got {self.sample_rate!r}")
        if not -150 <= self.floor_db < 0:
            raise SoundError(f"stereo: floor_db lies from -150 to 0, got {self.floor_db!r}")
        check_inverse(self.name, self.inverse, self.iterations, self.momentum)
        _ = self.layout

    @property
    def layout(self) -> Frames:
        """Where the frames lie."""
        return Frames(2 * self.rows, self.hop, self.frames, self.samples, self.first)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(4, F, T)."""
        return 4, self.rows, self.frames

    def encode(self, sound: Tensor) -> Tensor:
        """Turn stereo sounds into canvases; differentiable.

        Shape: [..., 2, L] -> [..., 4, F, T]: dB, dB, and two in [-1, 1].

        Raises:
            SoundError: another shape; padding and cutting are the caller's.
        """
        if sound.shape[-2:] != (2, self.samples):
            raise SoundError(f"stereo: sounds are [..., 2, {self.samples}], got {list(sound.shape)}")
        spectra = self.layout.stft(to_mid_side(sound))[..., :-1] * (4 / self.layout.window)
        mid, side = spectra.unbind(-3)
        return pair_values(mid + side, mid - side, self.floor_db).mT.flip(-2)

    def decode(self, canvas: Tensor, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Turn canvases into stereo sounds, the shared phase found; differentiable in all else, the phase held.

        Args:
            seeds: one an item, for the phases of chance that the search starts from; None: 0 for each.

        Shape: [..., 4, F, T] -> [..., 2, L].

        Raises:
            SoundError: another shape, or another number of seeds.
        """
        if canvas.shape[-3:] != self.shape:
            raise SoundError(f"stereo: canvases are [..., 4, {self.rows}, {self.frames}], got {list(canvas.shape)}")
        if canvas.numel() == 0:
            return canvas.new_zeros(*canvas.shape[:-3], 2, self.samples)
        left, right = pair_spectra(canvas.reshape(-1, *self.shape).flip(-2).mT, self.floor_db)
        mid_side = torch.stack([(left + right) / 2, (left - right) / 2], dim=-3) * (self.layout.window / 4)
        known = torch.cat([mid_side, mid_side[..., -1:]], dim=-1)
        with torch.no_grad():
            turn = by_items(self._turn, known, seeds, self.name)
        return to_left_right(self.layout.istft(known * turn)).reshape(*canvas.shape[:-3], 2, self.samples)

    def _turn(self, known: Tensor, chance: Tensor) -> Tensor:
        """Find the shared e^(i phase). Shape: complex [n, 2, T, K], [n, T, K] -> complex [n, 1, T, K]."""
        phase = chance
        if self.inverse != "griffin-lim":
            loudest = loudest_mixture(known)
            phase = pghi(self.layout, loudest.abs(), chance=chance) - loudest.angle()
        rounds = 0 if self.inverse == "pghi" else self.iterations
        return joint_griffin_lim(self.layout, known, phase=phase, iterations=rounds, momentum=self.momentum)

    @classmethod
    def suited(cls, sample_rate: int, samples: int, rows: int, frames: int, /, **arguments: Any) -> Self:
        """Choose the F x T nearest to a square with a hop of W/4 (spect/phase/layout.py).

        Raises:
            SoundError: the sounds are too short, or what is given can't be had together.
        """
        return cls(sample_rate, **{**arguments, **suited_layout(cls.name, samples, arguments)})

    def preview(self, canvas: Tensor) -> Tensor:
        """Draw in dB, left orange, right blue, both white. Shape: [N, 4, F, T] -> uint8 [N, F, T, 3]."""
        return levels(canvas[:, :2], floor_db=self.floor_db)

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON."""
        return parameters(self)


def loudest_mixture(mid_side: Tensor) -> Tensor:
    """Return cos(a) M + sin(a) S of the a with the most power: tan(2 a) = 2 <M, S> / (<M, M> - <S, S>).

    Shape: complex [n, 2, T, K] -> complex [n, T, K].
    """
    parts = torch.view_as_real(mid_side).flatten(2).double()
    gram = parts @ parts.mT
    angle = torch.atan2(2 * gram[:, 0, 1], gram[:, 0, 0] - gram[:, 1, 1]) / 2
    weights = torch.stack([angle.cos(), angle.sin()], dim=1).to(mid_side.real.dtype)
    return (mid_side * weights[..., None, None]).sum(1)
