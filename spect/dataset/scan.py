# SPDX-License-Identifier: Apache-2.0
"""Look at every sound once before anything is built: is it whole, how long, how loud, where does it begin.

The whole sound is decoded, so that what passes here can be built, and silence and clipping are seen.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from spect.audio import SoundInfo, probe, read
from spect.beats.clips import Heard
from spect.dataset.options import TRIM_DB
from spect.dataset.reading import check_level, sixteen_bit
from spect.dataset.sources import Source
from spect.errors import SoundError

SILENT = 1e-4  # peak, -80 dBFS
FULL_SCALE = 0.9999  # 16-bit full scale is 0.99997
CLIPPED_RUN = 3  # samples on end at full scale
BLOCK = 1 << 23  # frames read at a time: 3 minutes at 44.1 kHz, 67 MB


@dataclass(frozen=True)
class Facts:
    """What is known of one sound. Lengths in frames at its own rate.

    Args:
        reason: why it can't go in; None where it can.
        onset: first frame within TRIM_DB of the peak.
        clipped: three or more samples on end at full scale, or values beyond it.
        heard: its clips, with --beats.
        stamp: its version, from before it was read: Source.stamp.
    """

    name: str
    reason: str | None = None
    rate: int = 0
    channels: int = 0
    frames: int = 0
    peak: float = 0.0
    onset: int = 0
    clipped: bool = False
    heard: Heard | None = None
    stamp: str = ""

    @property
    def silent(self) -> bool:
        """Nothing above -80 dBFS."""
        return self.reason is None and self.peak < SILENT

    @property
    def seconds(self) -> float:
        """Length of the file."""
        return self.frames / self.rate if self.rate else 0.0


def examine(source: Source, name: str, *, downmix: bool = False, trim: bool = False) -> Facts:
    """Read a sound whole and tell what is known of it; a bad one comes back with its reason, not as an error."""
    try:
        stamp = source.stamp(name)
        return replace(_examine(source.open(name), name, downmix, trim), stamp=stamp)
    except SoundError as error:
        return Facts(name, reason_of(error, source, name))
    except OSError as error:
        return Facts(name, f"can't be opened ({error.strerror or error})")


def reason_of(error: SoundError, source: Source, name: str) -> str:
    """Take the place out of a message, which a list of files by name has already."""
    message = str(error)
    for place in (str(source.path / name), str(source.path), name):
        message = message.removeprefix(f"{place}: ")
    return message


def _examine(opened: Path | BinaryIO, name: str, downmix: bool, trim: bool) -> Facts:
    info = probe(opened)
    quick = None if trim else _quick(opened, name, info)
    if quick is not None:
        return quick
    peak, clipped, frames, onset, rate = 0.0, False, 0, 0, info.sample_rate
    sound = np.empty((1, 0), np.float32)
    while frames < info.frames:
        wanted = min(BLOCK, info.frames - frames)
        sound, rate = read(opened, downmix=downmix, start=frames, frames=wanted)
        block_peak = max(float(sound.max()), -float(sound.min()))
        clipped = clipped or (block_peak >= FULL_SCALE and _holds_run(np.abs(sound) >= FULL_SCALE))
        peak, frames = max(peak, block_peak), frames + sound.shape[1]
        if sound.shape[1] < wanted:  # an mp3's length is known to a frame only
            break
    check_level(peak)
    if trim and peak >= SILENT:
        onset = _onset(opened, sound if frames == sound.shape[1] else None, peak, downmix)
    return Facts(name, None, rate, info.channels, frames, peak, onset, clipped)


def _quick(opened: Path | BinaryIO, name: str, info: SoundInfo) -> Facts | None:
    """Examine 16-bit sounds as the integers they are (a fifth of the time); None where anything is out of the way."""
    found = sixteen_bit(opened, 0, info.frames) if info.frames <= BLOCK else None
    if found is None:
        return None
    data, rate = found
    peak = max(int(data.max()), -int(data.min())) / 32768
    clipped = peak >= FULL_SCALE and _holds_run(np.abs(data.T.astype(np.int32)) >= FULL_SCALE * 32768)
    return Facts(name, None, rate, info.channels, info.frames, peak, 0, clipped)


def _holds_run(mask: np.ndarray) -> bool:
    length = mask.shape[1] - CLIPPED_RUN + 1
    return length > 0 and bool(np.logical_and.reduce([mask[:, i : i + length] for i in range(CLIPPED_RUN)]).any())


def _onset(opened: Path | BinaryIO, whole: np.ndarray | None, peak: float, downmix: bool) -> int:
    threshold, at = peak * 10 ** (TRIM_DB / 20), 0
    while True:
        block = whole if whole is not None else read(opened, downmix=downmix, start=at, frames=BLOCK)[0]
        loud = (np.abs(block) >= threshold).any(axis=0)
        if loud.any():
            return at + int(loud.argmax())
        at += block.shape[1]
