# SPDX-License-Identifier: Apache-2.0
"""Log magnitude and instantaneous frequency (Engel et al. 2019, GANSynth, section 2.2).

    dB[t, k]   = 10 log10(|X[t, k]|^2 + floor)                   X: STFT, scaled so that a full-scale sine peaks at 1
    turn[t, k] = wrap(phase[t, k] - phase[t - 1, k]) / pi        in [-1, 1]; turn[0, k] = phase[0, k] / pi

Channels: (dB, turn) of the mid M = (L + R) / 2, or of M and the side S = (L - R) / 2. Mid and side, not left and right:
a network's errors add up along `turn`, and between left and right that would blur the stereo picture of every sound,
while here mono sounds have an empty side and stay mono.
GANSynth: the defaults; frame t is centred at sample 512 t, the sound is 0 outside, so that of its 128 frames the last
lies wholly past the 64 000 samples. Three things are ours, chosen by `suited`:
- dc='packed': row F - 1 holds X[0] + i X[W/2], both of which are real (as in cmyk), so that nothing is lost; 'dropped'
  holds bins 1 ... W/2 as published, and loses DC.
- relative=True: phase is counted against the bin's own, 2 pi k (t hop + W/2) / W in the middle of frame t. A tone's
  turns are then near 0 in the bins around it; as published, they jump between -1 and 1 in one bin of four (at hop W/4).
- where a bin is no louder than the floor its phase stands still: silence is no noise.

Measured round trip: packed, tones and noise >= 90 dB, shared/audio 90 to 104 dB in the median (66 to 77 with the floor
at -100 dB, which `suited` takes); dropped, tones that begin and end softly >= 90 dB, at once 54 to 84 dB, white noise
37 dB. mel=True (HTK bands of the power and of the unwrapped phase, averaged, as published): tones -4 to 24 dB, noise
-1 dB, no better than silence: unfit for drums.
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
from spect.melbank import filter_bank, spread, unsum
from spect.packing import to_left_right, to_mid_side
from spect.phase.frames import Frames
from spect.phase.layout import suited_layout
from spect.preview import levels
from spect.representation import check_counts, parameters, register
from spect.resident import Resident

MEL_ITERATIONS = 50
SUITED_FLOOR_DB = -100.0  # bin by bin, the noise of 16 bits lies below it, and has no phase to learn


@register
@dataclass(frozen=True)
class Instfreq:
    """Log magnitude and instantaneous frequency. The defaults are GANSynth's: 1024 x 128 at 16 kHz, 4 s.

    Args:
        sample_rate: in Hz.
        rows: F: W / 2 bins, or with mel any number of bands.
        frames: T, columns.
        window: W, samples a frame, Hann.
        hop: samples from column to column.
        first: the sample at the centre of column 0.
        samples: L.
        channels: 2, the mid alone, or 4, mid and side.
        dc: 'dropped' (as published) or 'packed' with the Nyquist bin (nothing is lost); with mel it has no meaning.
        relative: count phase against each bin's own frequency.
        mel: average power and phase in HTK bands; a great loss.
        floor_db: the level of silence, below a full-scale sine.
    """

    name: ClassVar[str] = "instfreq"

    sample_rate: int = 16000
    rows: int = 1024
    frames: int = 128
    window: int = 2048
    hop: int = 512
    first: int = 0
    samples: int = 64000
    channels: Literal[2, 4] = 2
    dc: Literal["dropped", "packed"] = "dropped"
    relative: bool = False
    mel: bool = False
    floor_db: float = -120.0

    def __post_init__(self) -> None:
        for label in ("sample_rate", "rows", "frames"):
            value = getattr(self, label)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise SoundError(f"instfreq: {label} is a whole number from 1 up, got {value!r}")
        for label, allowed in (("channels", (2, 4)), ("dc", ("dropped", "packed"))):
            if getattr(self, label) not in allowed:
                raise SoundError(f"instfreq: {label} is {allowed[0]!r} or {allowed[1]!r}, got {getattr(self, label)!r}")
        if self.rows != self.window // 2 and not self.mel:
            half = f"{self.window} // 2 = {self.window // 2}"
            raise SoundError(f"instfreq: rows is half the window ({half}), got {self.rows}")
        if self.relative and self.mel:
            raise SoundError("instfreq: relative has no meaning with mel, whose bands mix bins; leave one out")
        if not -200 <= self.floor_db < 0:
            raise SoundError(f"instfreq: floor_db lies from -200 to 0, got {self.floor_db!r}")
        _ = self.layout  # refuses what doesn't fit

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, F, T)."""
        return self.channels, self.rows, self.frames

    @classmethod
    def suited(cls, sample_rate: int, samples: int, rows: int, frames: int, /, **arguments: Any) -> Self:
        """Choose mid and side, nothing lost, and F x T nearest to a square with a hop of W/4 (spect/phase/layout.py).

        Raises:
            SoundError: nothing fits; the line says what would.
        """
        ours = {"channels": 4, "dc": "packed", "relative": not arguments.get("mel", False), "floor_db": SUITED_FLOOR_DB}
        given = {**ours, **arguments}
        check_counts(cls.name, arguments)
        if "window" in given and not given.get("mel"):
            given.setdefault("rows", given["window"] // 2)
        given |= suited_layout(cls.name, samples, given)
        return cls(sample_rate, **{"window": 2 * given["rows"], **given})

    def encode(self, sound: Tensor) -> Tensor:
        """Turn stereo sounds into canvases; differentiable.

        Shape: [..., 2, L] -> [..., C, F, T].

        Raises:
            SoundError: another shape; padding and cutting are the caller's.
        """
        if sound.shape[-2:] != (2, self.samples):
            raise SoundError(f"instfreq: sounds are [..., 2, {self.samples}], got {list(sound.shape)}")
        if sound.numel() == 0:
            return sound.new_zeros(*sound.shape[:-2], *self.shape)
        heard = to_mid_side(sound)[..., : self.channels // 2, :]
        spectrum = self._pack(self.layout.stft(heard) * (4 / self.window)).mT
        power = spectrum.real.square() + spectrum.imag.square()  # [..., C/2, K, T]
        turns = self._turns(spectrum.angle(), power > floor_power(self.floor_db))
        if self.mel:
            power, turns = self._bands(power, "peak"), self._bands(turns, "area")
        return self._join(power, turns)

    def decode(self, canvas: Tensor, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Turn canvases into stereo sounds; differentiable. Nothing is drawn.

        Shape: [..., C, F, T] -> [..., 2, L].

        Raises:
            SoundError: another shape.
        """
        if canvas.shape[-3:] != self.shape:
            raise SoundError(
                f"instfreq: canvases are [..., {', '.join(map(str, self.shape))}], got {list(canvas.shape)}"
            )
        if canvas.numel() == 0:
            return canvas.new_zeros(*canvas.shape[:-3], 2, self.samples)
        power, turns = self._split(canvas)
        if self.mel:
            power = unsum(self._bank("peak"), power.mT, MEL_ITERATIONS).mT
            turns = spread(self._bank("area"), turns.mT).mT
        spectrum = self._spectrum(power, turns).mT
        heard = self.layout.istft(self._unpack(spectrum) * (self.window / 4))
        return to_left_right(heard) if self.channels == 4 else torch.cat([heard, heard], dim=-2)

    def to_parts(self, canvas: Tensor) -> Tensor:
        """Give the rows' complex values, which are linear in the sound (without mel), as channels (Re, Im).

        Shape: [..., C, F, T] -> [..., C, F, T].
        """
        spectrum = self._spectrum(*self._split(canvas))
        return torch.view_as_real(spectrum).movedim(-1, -3).flatten(-4, -3).flip(-2)

    def from_parts(self, parts: Tensor) -> Tensor:
        """Undo `to_parts`. Shape: [..., C, F, T] -> same."""
        real, imaginary = parts.flip(-2).unflatten(-3, (-1, 2)).unbind(-3)
        power = real.square() + imaginary.square()
        audible = power > floor_power(self.floor_db)
        phase = torch.atan2(imaginary, torch.where(audible, real, 1.0))  # of silence none, nor a derivative
        return self._join(power, self._turns(phase, audible))

    def preview(self, canvas: Tensor) -> Tensor:
        """Draw the magnitudes, in stereo of left and right. Shape: [N, C, F, T] -> uint8 [N, F, T, 3]."""
        parts = self.to_parts(canvas)
        mid, side = (parts[:, :2], parts[:, 2:]) if self.channels == 4 else (parts, None)
        heard = [mid] if side is None else [mid + side, mid - side]
        power = torch.stack([x.square().sum(1) for x in heard], dim=1)
        lowest = None if self.mel else self._lowest
        return levels(decibels(power, self.floor_db), lowest_bin=lowest, floor_db=self.floor_db)

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON."""
        return parameters(self)

    @property
    def layout(self) -> Frames:
        """Where the frames lie."""
        return Frames(self.window, self.hop, self.frames, self.samples, self.first)

    def _join(self, power: Tensor, turns: Tensor) -> Tensor:
        """Shape: [..., C/2, F, T] twice, lowest row first -> [..., C, F, T]."""
        return torch.stack([decibels(power, self.floor_db), turns], dim=-3).flatten(-4, -3).flip(-2).contiguous()

    def _split(self, canvas: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: [..., C, F, T] -> power and turns [..., C/2, F, T], lowest row first."""
        level, turns = canvas.flip(-2).unflatten(-3, (-1, 2)).unbind(-3)
        return power_above(level, self.floor_db), turns

    def _spectrum(self, power: Tensor, turns: Tensor) -> Tensor:
        """Shape: [..., K, T] twice -> complex [..., K, T]."""
        some = power > 0
        size = torch.where(some, power, 1.0).sqrt() * some  # no infinite derivative at 0
        return torch.polar(size, self._phase(turns).to(size))

    def _turns(self, phase: Tensor, audible: Tensor) -> Tensor:
        """Difference along time, wrapped; nothing turns where nothing is audible. Shape: [..., K, T] -> same."""
        place = torch.arange(self.frames, device=phase.device)
        last = torch.where(audible, place, -1).cummax(-1).values  # the last audible column so far, -1 for none
        against = phase - self._carried(phase)
        held = torch.where(last >= 0, against.gather(-1, last.clamp_min(0)), 0.0)
        step = torch.diff(held, dim=-1, prepend=torch.zeros_like(held[..., :1])) / math.pi
        return step - 2 * (step / 2).round()

    def _phase(self, turns: Tensor) -> Tensor:
        """Undo `_turns`: add up along time, in float64. Shape: [..., K, T] -> float64, same."""
        whole = math.pi * torch.cumsum(turns.double(), dim=-1)
        return torch.remainder(whole + self._carried(whole), 2 * math.pi)

    def _carried(self, like: Tensor) -> Tensor:
        """Return the phase of each bin's own frequency in the middle of frame t. Shape: [K, T], or [] where unused."""
        if not self.relative:
            return like.new_zeros(())
        columns = torch.arange(self.frames, device=like.device) * self.hop + self.window // 2
        whole = torch.outer(torch.arange(like.shape[-2], device=like.device) + self._lowest, columns)
        return (whole % self.window).to(like) * (2 * math.pi / self.window)

    @property
    def _lowest(self) -> int:
        """The bin that the lowest row holds."""
        return 0 if self.mel or self.dc == "packed" else 1

    def _pack(self, spectrum: Tensor) -> Tensor:
        """Bring bins 0 ... W/2 to rows. Shape: complex [..., T, W/2 + 1] -> [..., T, K]."""
        if self.mel:
            return spectrum
        if self.dc == "dropped":
            return spectrum[..., 1:]
        lowest = torch.complex(spectrum.real[..., :1], spectrum.real[..., -1:])
        return torch.cat([lowest, spectrum[..., 1:-1]], dim=-1)

    def _unpack(self, rows: Tensor) -> Tensor:
        """Undo `_pack`. Shape: complex [..., T, K] -> [..., T, W/2 + 1]."""
        if self.mel:
            return rows
        lowest = rows[..., :1]
        if self.dc == "dropped":
            return torch.cat([torch.zeros_like(lowest), rows], dim=-1)
        nothing = torch.zeros_like(lowest.real)
        constant, nyquist = (torch.complex(part, nothing) for part in (lowest.real, lowest.imag))
        return torch.cat([constant, rows[..., 1:], nyquist], dim=-1)

    def _bank(self, norm: Literal["peak", "area"]) -> Tensor:
        return filter_bank(self.sample_rate, self.window, self.rows, 0.0, self.sample_rate / 2, "htk", norm)

    @cached_property
    def _resident(self) -> dict[str, Resident]:
        return {"peak": Resident(self._bank("peak")), "area": Resident(self._bank("area"))}

    def _bands(self, values: Tensor, norm: Literal["peak", "area"]) -> Tensor:
        """Sum or average bins into bands. Shape: [..., K, T] -> [..., F, T]."""
        return self._resident[norm].like(values) @ values
