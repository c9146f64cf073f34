# SPDX-License-Identifier: Apache-2.0
"""Known damages of sounds, from mild to strong: what a score must notice.

Each is a pure function of sounds [N, 1 or 2, L], its strength and, where chance plays, a generator, whose device may be
another than the sounds'. Shape and level of what isn't damaged are kept. `DAMAGES` lists them with the levels at which
the curves of scores are drawn.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from spect.errors import SoundError
from spect.measures.mel_spectrogram import frame_size
from spect.phase.frames import Frames
from spect.phase.griffin_lim import griffin_lim as find_phase

TRANSITION = 2 ** (1 / 6)  # of the low-pass: from the cutoff, where nothing is lost yet, to where all is
BATCH_SAMPLES = 2**20  # of all channels, in one run of Griffin-Lim
EDGE_HOP = 1024  # cmyk's frames


@dataclass(frozen=True)
class Damage:
    """A damage with a strength.

    Args:
        name: how tables call it.
        unit: of its levels.
        levels: from mild to strong.
        apply: (sounds, sample rate, level, generator) -> sounds of the same shape.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    apply: Callable[[Tensor, int, float, Generator], Tensor]


def white_noise(sounds: Tensor, snr_db: float, rng: Generator) -> Tensor:
    """Add white noise of so many dB below each sound's own level; silence stays silence."""
    return sounds + _gaussian(sounds.shape, sounds, rng) * _level(sounds) * 10 ** (-snr_db / 20)


def low_pass(sounds: Tensor, sample_rate: int, cutoff_hz: float) -> Tensor:
    """Take away what lies above the cutoff, without shifting a phase: whole below, nothing a sixth of an octave above.

    Raises:
        SoundError: a cutoff that isn't positive.
    """
    if not cutoff_hz > 0:
        raise SoundError(f"low-pass: the cutoff is positive, got {cutoff_hz} Hz")
    size = _padded_length(sounds.shape[-1], sample_rate)
    hz = torch.fft.rfftfreq(size, 1 / sample_rate, device=sounds.device)
    octaves = torch.log2(hz.clamp_min(1e-3) / cutoff_hz) / math.log2(TRANSITION)
    gain = (1 + torch.cos(math.pi * octaves.clamp(0, 1))) / 2
    return torch.fft.irfft(torch.fft.rfft(sounds, n=size) * gain, n=size)[..., : sounds.shape[-1]]


def griffin_lim(sounds: Tensor, sample_rate: int, iterations: int, rng: Generator) -> Tensor:
    """Keep the magnitudes (Hann frames of 46 ms, hop a quarter) and find phases anew, from random ones.

    Both channels start from the same phases, so that mono stays mono.
    """
    size = frame_size(sample_rate)
    length = sounds.shape[-1]
    frames = Frames(size, size // 4, -(-length // (size // 4)) + 1, length)
    turns = torch.rand(len(sounds), 1, frames.count, frames.bins, generator=rng, device=rng.device)
    parts = max(1, BATCH_SAMPLES // (sounds.shape[1] * length))  # small enough for caches: twice as fast
    found = [
        _phase_anew(frames, *both, iterations) for both in zip(sounds.split(parts), turns.split(parts), strict=True)
    ]
    return torch.cat(found)


def _phase_anew(frames: Frames, sounds: Tensor, turns: Tensor, iterations: int) -> Tensor:
    """Start from phases of so many turns. Shape: [N, C, L], [N, 1, T, K] -> [N, C, L]."""
    magnitude = frames.stft(sounds).abs()
    phase = (2 * math.pi * turns).to(sounds).expand_as(magnitude)
    return frames.istft(find_phase(frames, magnitude, phase=phase, iterations=iterations))


def clip(sounds: Tensor, drive_db: float) -> Tensor:
    """Amplify, and clip at full scale."""
    return gain(sounds, drive_db).clamp(-1, 1)


def dc_offset(sounds: Tensor, share: float) -> Tensor:
    """Add a constant of so large a share of each sound's peak."""
    return sounds + share * sounds.abs().amax((1, 2), keepdim=True)


def frame_jumps(sounds: Tensor, share: float, rng: Generator, hop: int = EDGE_HOP) -> Tensor:
    """Add to each frame and channel a constant of its own, Gaussian, of so large a share of the sound's level.

    At every frame's border the wave jumps: the click of rectangular frames whose values are a little wrong.
    """
    count = -(-sounds.shape[-1] // hop)
    constants = _gaussian((*sounds.shape[:-1], count), sounds, rng).repeat_interleave(hop, dim=-1)
    return sounds + share * _level(sounds) * constants[..., : sounds.shape[-1]]


def smear(sounds: Tensor, sample_rate: int, milliseconds: float, rng: Generator) -> Tensor:
    """Spread every moment over about so many milliseconds, forwards, and leave the spectrum of the whole as it is.

    The filter is an all-pass: white noise under a Hann window, its spectrum set to modulus 1. One for all sounds and
    channels. What it carries beyond the sound's end is cut.
    """
    size = _padded_length(sounds.shape[-1], sample_rate)
    width = min(size, max(1, round(milliseconds * sample_rate / 1000)))
    window = torch.hann_window(width + 2, periodic=False, device=sounds.device)[1:-1]
    response = torch.sgn(torch.fft.rfft(_gaussian((width,), sounds, rng) * window, n=size))
    return torch.fft.irfft(torch.fft.rfft(sounds, n=size) * response, n=size)[..., : sounds.shape[-1]]


def width(sounds: Tensor, factor: float) -> Tensor:
    """Multiply the side by a factor: 0 is mono, 1 nothing, more is wider. Mono sounds stay as they are."""
    mid = sounds.mean(1, keepdim=True)
    return mid + factor * (sounds - mid)


def gain(sounds: Tensor, decibels: float) -> Tensor:
    """Change the level."""
    return sounds * 10 ** (decibels / 20)


def pitch_shift(sounds: Tensor, sample_rate: int, cents: float) -> Tensor:
    """Play faster (cents > 0) or slower, as a sampler does; the end is cut or filled with zeros.

    Resampled through the spectrum of the whole: band-limited, exact but for the rounding of the length.
    """
    size, length = _padded_length(sounds.shape[-1], sample_rate), sounds.shape[-1]
    other = max(1, round(size / 2 ** (cents / 1200)))
    spectrum = torch.fft.rfft(sounds, n=size)[..., : other // 2 + 1]
    played = torch.fft.irfft(spectrum, n=other)[..., :length] * (other / size)
    return functional.pad(played, (0, length - played.shape[-1]))


def _gaussian(shape: tuple[int, ...], like: Tensor, rng: Generator) -> Tensor:
    return torch.randn(shape, generator=rng, device=rng.device).to(like)


def _level(sounds: Tensor) -> Tensor:
    """Return each sound's root mean square over channels and time. Shape: [N, C, L] -> [N, 1, 1]."""
    return sounds.square().mean((1, 2), keepdim=True).sqrt()


def _padded_length(length: int, sample_rate: int) -> int:
    """Return an even length with a quarter of a second of silence at least, so that the end doesn't reach the start."""
    return 2 * -(-(length + sample_rate // 4) // 2)


_ALL = (
    Damage("noise", "dB SNR", (50, 40, 30, 20, 10), lambda x, rate, level, rng: white_noise(x, level, rng)),
    Damage("low-pass", "Hz", (12000, 8000, 4000, 2000, 1000), lambda x, rate, level, rng: low_pass(x, rate, level)),
    Damage(
        "griffin-lim",
        "iterations",
        (100, 30, 10, 3, 0),
        lambda x, rate, level, rng: griffin_lim(x, rate, round(level), rng),
    ),
    Damage("clip", "dB drive", (3, 6, 12, 18, 24), lambda x, rate, level, rng: clip(x, level)),
    Damage("dc", "share of the peak", (0.01, 0.03, 0.1, 0.3), lambda x, rate, level, rng: dc_offset(x, level)),
    Damage(
        "frame-jumps",
        "share of the level",
        (0.01, 0.03, 0.1, 0.3, 1.0),
        lambda x, rate, level, rng: frame_jumps(x, level, rng),
    ),
    Damage("smear", "ms", (3, 10, 30, 100, 200), lambda x, rate, level, rng: smear(x, rate, level, rng)),
    Damage("narrow", "share of the side", (0.75, 0.5, 0.25, 0.0), lambda x, rate, level, rng: width(x, level)),
    Damage("wide", "times the side", (1.5, 2.0, 4.0, 8.0), lambda x, rate, level, rng: width(x, level)),
    Damage("gain", "dB", (-3, -6, -12, -24), lambda x, rate, level, rng: gain(x, level)),
    Damage("pitch", "cents", (25, 50, 100, 300, 1200), lambda x, rate, level, rng: pitch_shift(x, rate, level)),
)
DAMAGES: dict[str, Damage] = {one.name: one for one in _ALL}
