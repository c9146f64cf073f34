# SPDX-License-Identifier: Apache-2.0
"""The pitch of single sounds, and how far it is from the wanted one.

pYIN (Mauch and Dixon 2014), as librosa has it, follows the pitch of a sound's mono mix from 32 to 2 100 Hz in frames of
4 096 samples at 40 to 50 kHz (93 ms, every 46); sounds of other rates are brought to 44.1 kHz first, since YIN takes a
high tone sampled coarsely for its octave. On a grid of a fifth of a semitone pYIN is five times as fast as on librosa's
tenth; plain YIN (de Cheveigné and Kawahara 2002), which interpolates between samples, then finds each frame's pitch near
it, to about 2 cents. A sound's pitch is the median over its voiced frames. About 40 ms a sound of one second.

Needs the extra `pitch`: librosa, imported at the first use.
"""

import functools
import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spect.audio import resample
from spect.errors import SoundError

LOWEST_HZ, HIGHEST_HZ = 32.0, 2100.0  # C1 to C7
RATES = (40000, 50000)  # analysed as they are; others at
ANALYSIS_RATE = 44100
FRAME, HOP = 4096, 2048
GRID = 0.2  # semitones
PROBABLE = 0.1  # voiced: by pYIN's path and at least so probable
HEARD = 0.01  # of the loudest frame's level (-40 dB): quieter frames are neither voiced nor unvoiced
NEAR = 0.5  # semitones, within which YIN may move a pitch


@dataclass(frozen=True)
class Pitch:
    """The pitch of each of N sounds.

    Args:
        hz: median over voiced frames; NaN where there are none.
        cents_spread: its stability, the interquartile range over voiced frames in cents; NaN likewise.
        voiced: share of voiced frames among those heard; 0 for silence.
    """

    hz: Tensor
    cents_spread: Tensor
    voiced: Tensor


@dataclass(frozen=True)
class CentsOff:
    """How far pitches are from the wanted ones: cents = 1200 octaves + folded.

    Args:
        cents: 1200 log2(hz / wanted), whatever its size.
        folded: the same but for whole octaves, from -600 up to 600.
        octaves: how many octaves too high, a whole number.
    """

    cents: Tensor
    folded: Tensor
    octaves: Tensor


def pitch_track(sounds: Iterable[Tensor], sample_rate: int, *, workers: int = 1) -> Pitch:
    """Find the pitch of sounds.

    Args:
        sounds: [1 or 2, L] each, of any length; a tensor [N, 1 or 2, L] is an iterable of them.
        workers: processes; each takes seconds to start.

    Shape: N times [1 or 2, L] -> each [N], float64, on the CPU.

    Raises:
        SoundError: librosa isn't installed or can't start; NaN or Inf; another shape.
    """
    _librosa()
    mixes = (_mono(sound) for sound in sounds)
    one = functools.partial(_pitch_of, sample_rate=sample_rate)
    if workers > 1:
        context = multiprocessing.get_context("spawn")  # torch's threads don't survive a fork
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            rows = list(pool.map(one, mixes, chunksize=8))
    else:
        rows = [one(mix) for mix in mixes]
    hz, spread, voiced = torch.tensor(rows, dtype=torch.float64).reshape(-1, 3).unbind(1)
    return Pitch(hz, spread, voiced)


def cents_off(hz: Tensor, wanted_midi: Tensor) -> CentsOff:
    """Compare pitches with MIDI numbers (69 is 440 Hz; fractions allowed). NaN stays NaN.

    Shape: [N], [N] -> each float64 [N].
    """
    cents = 1200 * torch.log2(hz.double() / 440) - 100 * (wanted_midi.double() - 69)
    octaves = torch.floor(cents / 1200 + 0.5)
    return CentsOff(cents, cents - 1200 * octaves, octaves)


def _librosa() -> Any:
    """Import librosa (ISC). Raises: SoundError where it's missing or can't start."""
    if find_spec("librosa") is None:
        raise SoundError("pitch: needs librosa; pip install '.[pitch]' (this project's extra `pitch`)")
    try:
        import librosa
    except RuntimeError as error:  # numba, in an environment without any folder to write to
        raise SoundError(f"pitch: librosa can't start ({error}); set NUMBA_CACHE_DIR to a folder of yours") from None
    return librosa


def _mono(sound: Tensor) -> np.ndarray:
    if sound.ndim != 2 or sound.shape[0] not in (1, 2) or sound.shape[1] == 0:
        raise SoundError(f"pitch: a sound is [1 or 2, L], got {list(sound.shape)}")
    if not torch.isfinite(sound).all():
        raise SoundError("pitch: a sound holds NaN or Inf; leave it out first (levels()['finite'])")
    return sound.detach().float().mean(0, keepdim=True).cpu().numpy()


def _pitch_of(mono: np.ndarray, sample_rate: int) -> tuple[float, float, float]:
    """Return hz, cents_spread and voiced of one sound. Shape: [1, L]."""
    if not RATES[0] <= sample_rate <= RATES[1]:
        mono, sample_rate = resample(mono, sample_rate, ANALYSIS_RATE), ANALYSIS_RATE
    wave = mono[0]
    if not wave.any():
        return np.nan, np.nan, 0.0
    wave = wave / np.abs(wave).max()  # YIN of very quiet sounds would run into its own guard against 0
    level = _level(wave)
    heard = level >= HEARD * level.max()
    hz, voiced, probability = _librosa().pyin(
        wave, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=sample_rate, frame_length=FRAME, hop_length=HOP, resolution=GRID
    )
    sure = voiced & heard & (probability >= PROBABLE)
    if not sure.any():
        return np.nan, np.nan, 0.0
    fine = _refined(wave, sample_rate, hz, sure)
    low, middle, high = np.percentile(fine, [25, 50, 75])
    return float(middle), float(1200 * np.log2(high / low)), float(sure.sum() / heard.sum())


def _level(wave: np.ndarray) -> np.ndarray:
    """Return the root mean square of pYIN's frames. Shape: [L] -> [1 + L // hop]."""
    padded = np.pad(wave, FRAME // 2)
    return np.sqrt(np.square(np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]).mean(axis=1))


def _refined(wave: np.ndarray, sample_rate: int, hz: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Return the voiced frames' pitches off the grid, by YIN where it finds one near. Shape: [L], [T], [T] -> [voiced]."""
    coarse, side = hz[sure], 2 ** (2 * NEAR / 12)
    fine = _librosa().yin(
        wave,
        fmin=coarse.min() / side,
        fmax=coarse.max() * side,
        sr=sample_rate,
        frame_length=FRAME,
        hop_length=HOP,
    )[sure]
    return np.where(np.abs(12 * np.log2(fine / coarse)) <= NEAR, fine, coarse)
