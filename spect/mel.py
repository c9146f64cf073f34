# SPDX-License-Identifier: Apache-2.0
"""Log mel spectrograms: of the mid (seeds 002 and 004), or with the whole stereo picture in four channels.

    P_LL[b, t] = sum over k of m[b, k] |X_L[t, k]|^2,   P_RR likewise,   P_LR = sum of m[b, k] X_L[t, k] conj(X_R[t, k])
    canvas = 10 log10(P_LL + f),  10 log10(P_RR + f),  Re c,  Im c,      c = (P_LR + f) / sqrt((P_LL + f) (P_RR + f))

X: STFT, scaled so that a full-scale sine peaks at 1; m: triangles (spect/melbank.py); f: the floor, a noise that is the
same in both channels. |c| <= 1, and below 1 where a band's left and right don't cohere. So silence and every mono sound
have c = 1, at every level, and c goes smoothly to 0 where one side falls silent. channels=1: the mid's dB alone.

Back: f is taken off; a column's power is brought to bins by non-negative least squares, each bin taking the stereo
picture of the bands around it: left and right are then known but for one phase that they share, which is found as
`stereo` finds it. Between them lies the angle of c and, where |c| < 1, a normal deviate of variance -2 ln|c|, one a
frequency, drawn from the seed: the mean of e^(i deviate) is |c|. All is done on mid and side, so that a canvas that
says mono comes back mono, bit for bit.
Measured on shared/audio (64 x 64 and 64 x 128 at 22.05 kHz, 128 x 128 at 44.1 kHz): bands above -60 dB return within .6
to .9 dB rms; spectral convergence -12 to -14 dB, log-spectral distance 2 to 3.5 dB, where linear frequency on the same
frames has -15 to -26 and .8 to 1.8 dB; correlation and width of stereo sounds off by .02 on average, .05 at most.

The seeds' own, by parameters and without resizing (facts: a resized picture has a false frequency axis):
    002: Mel(16000, rows=128, frames=128, window=512, hop=125, first=62, samples=16000, channels=1, fmax=8000.0)
    004: Mel(22050, rows=256, frames=256, window=2048, hop=345, first=112, samples=88200, channels=1, fmax=11025.0)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from spect.decibels import decibels, floor_power, power_above
from spect.errors import SoundError
from spect.grid import choose_grid
from spect.melbank import TINY, Norm, Scale, filter_bank, spread, unsum
from spect.packing import to_left_right, to_mid_side
from spect.phase.chance import random_phase
from spect.phase.frames import Frames
from spect.phase.griffin_lim import MOMENTUM, joint_griffin_lim
from spect.phase.inverse import Inverse, by_items, check_inverse
from spect.phase.pghi import pghi
from spect.preview import levels
from spect.representation import parameters, register
from spect.resident import Resident
from spect.stereo import loudest_mixture

BAND_ITERATIONS = 50
OVERLAP = 4  # frames that cover a sample, at least, where nothing else is asked for
LEAST_WINDOW_SECONDS = 0.02  # likewise
COHERENT = 1e-5  # that much below 1 is rounding
LEAST_COHERENCE = 1e-3  # a deviate of 213 degrees


@register
@dataclass(frozen=True)
class Mel:
    """Log mel spectrogram.

    Args:
        sample_rate: in Hz.
        rows: F, mel bands.
        frames: T, columns.
        window: W, samples a frame, Hann.
        hop: samples from column to column.
        first: the sample at the centre of column 0.
        samples: L.
        channels: 4, left, right and their coherence, or 1, the mid.
        fmin, fmax: in Hz, the ends of the lowest and the highest band.
        scale: 'htk' or 'slaney'.
        norm: bands of 'peak' 1, or of 'area' 1.
        floor_db: power below full scale that counts as silence.
        inverse: how decode finds phases.
        iterations, momentum: of Griffin-Lim; momentum 0 is the plain one.
    """

    name: ClassVar[str] = "mel"

    sample_rate: int = 44100
    rows: int = 512
    frames: int = 512
    window: int = 4096
    hop: int = 1024
    first: int = 512
    samples: int = 524288
    channels: Literal[1, 4] = 4
    fmin: float = 0.0
    fmax: float = 22050.0
    scale: Scale = "htk"
    norm: Norm = "peak"
    floor_db: float = -100.0
    inverse: Inverse = "pghi+griffin-lim"
    iterations: int = 32
    momentum: float = MOMENTUM

    def __post_init__(self) -> None:
        for label in ("sample_rate", "rows"):
            value = getattr(self, label)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise SoundError(f"mel: {label} is a whole number from 1 up, got {value!r}")
        for label, allowed in (("channels", (1, 4)), ("scale", ("htk", "slaney")), ("norm", ("peak", "area"))):
            if getattr(self, label) not in allowed:
                raise SoundError(f"mel: {label} is {allowed[0]!r} or {allowed[1]!r}, got {getattr(self, label)!r}")
        if not -200 <= self.floor_db < 0:
            raise SoundError(f"mel: floor_db lies from -200 to 0, got {self.floor_db!r}")
        check_inverse(self.name, self.inverse, self.iterations, self.momentum)
        _ = self.layout, self._bank  # refuse what doesn't fit

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, F, T)."""
        return self.channels, self.rows, self.frames

    @classmethod
    def suited(cls, sample_rate: int, samples: int, rows: int, frames: int, /, **arguments: Any) -> Self:
        """Choose F x T nearest to the stored picture's; the columns cover the sound, windows overlap fourfold or more.

        Raises:
            SoundError: nothing fits; the line says what would.
        """

        def window(_: int, hop: int) -> int:
            return int(2 ** math.ceil(math.log2(max(OVERLAP * hop, LEAST_WINDOW_SECONDS * sample_rate))))

        given = {"fmax": sample_rate / 2, **arguments}
        return cls(sample_rate, **choose_grid(cls.name, samples, (rows, frames), given, window))

    def encode(self, sound: Tensor) -> Tensor:
        """Turn stereo sounds into canvases; differentiable.

        Shape: [..., 2, L] -> [..., C, F, T].

        Raises:
            SoundError: another shape; padding and cutting are the caller's.
        """
        if sound.shape[-2:] != (2, self.samples):
            raise SoundError(f"mel: sounds are [..., 2, {self.samples}], got {list(sound.shape)}")
        if sound.numel() == 0:
            return sound.new_zeros(*sound.shape[:-2], *self.shape)
        mid_side = self.layout.stft(to_mid_side(sound)) * (4 / self.window)  # [..., 2, T, K]
        mid, side = mid_side.unbind(-3)
        if self.channels == 1:
            return self._level(_power(mid)).unsqueeze(-3)
        left, right = mid + side, mid - side
        level = torch.stack([self._level(_power(left)), self._level(_power(right))], dim=-3)
        cross = left * right.conj()
        size = 10 ** (level.sum(-3) / 20)  # sqrt((P_LL + f) (P_RR + f))
        real, imaginary = self._bands(cross.real) + floor_power(self.floor_db), self._bands(cross.imag)
        canvas = torch.cat([level, torch.stack([real / size, imaginary / size], dim=-3)], dim=-3)
        mono = (sound[..., 0, :] == sound[..., 1, :]).all(-1)[..., None, None, None]
        one = torch.stack([level[..., 0, :, :]] * 2 + [torch.ones_like(real), torch.zeros_like(real)], dim=-3)
        return torch.where(mono, one, canvas)  # rounding may have told left from right

    def decode(self, canvas: Tensor, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Turn canvases into stereo sounds; differentiable, but for the phase, which is found.

        Args:
            seeds: one an item, for what is drawn; None: 0 for each.

        Shape: [..., C, F, T] -> [..., 2, L].

        Raises:
            SoundError: another shape.
        """
        if canvas.shape[-3:] != self.shape:
            raise SoundError(f"mel: canvases are [..., {', '.join(map(str, self.shape))}], got {list(canvas.shape)}")
        if canvas.numel() == 0:
            return canvas.new_zeros(*canvas.shape[:-3], 2, self.samples)
        items = canvas.reshape(-1, *self.shape)
        known = self._known(items, [0] * len(items) if seeds is None else seeds)
        with torch.no_grad():
            turn = by_items(self._turn, known, seeds, self.name)
        heard = self.layout.istft(known * turn)
        sound = heard.expand(-1, 2, -1) if self.channels == 1 else to_left_right(heard)
        return sound.reshape(*canvas.shape[:-3], 2, self.samples)

    def preview(self, canvas: Tensor) -> Tensor:
        """Draw canvases band by band, in stereo left and right. Shape: [N, C, F, T] -> uint8 [N, F, T, 3]."""
        return levels(canvas[:, :2] if self.channels == 4 else canvas, lowest_bin=None, floor_db=self.floor_db)

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON."""
        return parameters(self)

    @property
    def layout(self) -> Frames:
        """Where the frames lie."""
        return Frames(self.window, self.hop, self.frames, self.samples, self.first)

    @property
    def _bank(self) -> Tensor:
        """Shape: [F, K], lowest band first."""
        return filter_bank(
            self.sample_rate, self.window, self.rows, self.fmin, self.fmax, scale=self.scale, norm=self.norm
        )

    @cached_property
    def _turned_bank(self) -> Resident:
        """Shape: [K, F]."""
        return Resident(self._bank.mT)

    def _bands(self, values: Tensor) -> Tensor:
        """Sum bins into rows of a canvas. Shape: [..., T, K] -> [..., F, T]."""
        return (values @ self._turned_bank.like(values)).mT.flip(-2)

    def _level(self, power: Tensor) -> Tensor:
        """Shape: [..., T, K] -> dB [..., F, T]."""
        return decibels(self._bands(power), self.floor_db)

    def _known(self, items: Tensor, seeds: Sequence[int]) -> Tensor:
        """Find the spectra of mid and side but for the phase that they share.

        Shape: [N, C, F, T] -> [N, 1, T, K], or complex [N, 2, T, K].
        """
        low = items.flip(-2).mT  # [N, C, T, F]
        power = power_above(low[:, : 2 if self.channels == 4 else 1], self.floor_db)
        bins = unsum(self._bank, power.sum(1), BAND_ITERATIONS)[:, None] * (self.window / 4) ** 2
        if self.channels == 1:
            return _root(bins)
        near = spread(self._bank, power)
        left, right = _root(bins * near / near.sum(1, keepdim=True).clamp_min(TINY)).unbind(1)
        left = left * self._between(low, power, near, seeds)
        mono = ((low[:, 0] == low[:, 1]) & (low[:, 2] == 1) & (low[:, 3] == 0)).all(1).all(1)[:, None, None]
        return torch.stack([(left + right) / 2, ~mono * (left - right) / 2], dim=1)

    def _between(self, low: Tensor, power: Tensor, near: Tensor, seeds: Sequence[int]) -> Tensor:
        """Return e^(i (arg L - arg R)). Shape: [N, 4, T, F], [N, 2, T, F], [N, 2, T, K] -> complex [N, T, K]."""
        floor = floor_power(self.floor_db)
        cross = torch.complex(low[:, 2], low[:, 3]) * (power + floor).prod(1).sqrt() - floor
        cross = spread(self._bank, cross)
        coherence = cross.abs() / _root(near.prod(1)).clamp_min(TINY)
        variance = (-2 * coherence.clamp(LEAST_COHERENCE, 1).log() - 2 * COHERENT).clamp_min(0)
        chance = random_phase(seeds, (1, self.layout.bins)).to(low) / math.pi
        normal = math.sqrt(2) * torch.erfinv(chance.clamp(-0.999999, 0.999999))
        return torch.polar(torch.ones_like(variance), cross.angle() + _root(variance) * normal)

    def _turn(self, known: Tensor, chance: Tensor) -> Tensor:
        """Find the shared e^(i phase). Shape: [n, 1 or 2, T, K], [n, T, K] -> complex [n, 1, T, K]."""
        phase = chance
        if self.inverse != "griffin-lim":
            loudest = loudest_mixture(known) if self.channels == 4 else known[:, 0]
            phase = pghi(self.layout, loudest.abs(), chance=chance) - loudest.angle()
        rounds = 0 if self.inverse == "pghi" else self.iterations
        return joint_griffin_lim(self.layout, known, phase=phase, iterations=rounds, momentum=self.momentum)


def _power(spectrum: Tensor) -> Tensor:
    """|X|^2. Shape: complex [...] -> [...]."""
    return spectrum.real.square() + spectrum.imag.square()


def _root(power: Tensor) -> Tensor:
    """Square root, whose derivative at 0 is 0. Shape: any -> same."""
    some = power > 0
    return torch.where(some, power, 1.0).sqrt() * some
