# SPDX-License-Identifier: Apache-2.0
"""Hear a recording: how much sets in at each moment, and how loud it is. Read in blocks, however long it is.

Rises are librosa's onset strength (spectral flux of a log mel spectrogram: Böck and Widmer 2013) in two ranges, below
LOW_HZ, where kick and bass set the beat, and all together: in a whole spectrum, an off-beat hi-hat outweighs the kick.
Levels are energies in steps of 2 ms, of the sound and of its derivative (a drum's click): they place a beat to the
millisecond, which frames of 46 ms can't.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr

from spect.beats.library import librosa
from spect.dataset.reading import read
from spect.dataset.scan import SILENT

RATE = 22050  # Hz, for listening only
WINDOW = 1024
HOP = 128
LAG = 4  # frames over which a rise is taken: 23 ms
BANDS = 48
HIGHEST_HZ = 8000.0
LOW_HZ = 200.0
STEP = 44  # samples of one level: 2 ms
BLOCK = 1 << 21  # frames read at a time, 48 s at 44.1 kHz
FLOOR = 3e-3  # of mel power, 73 dB below that of a sine at full scale: what lies under it is no onset


@dataclass(frozen=True)
class Novelty:
    """A recording as heard.

    Args:
        rises: [2, n] float32, low and all bands, frames of `frame_seconds`, the first centred at `first_seconds`.
        levels: [2, m] float32, mean squares of sound and derivative in steps of `step_seconds`.
    """

    rises: np.ndarray
    levels: np.ndarray

    frame_seconds = HOP / RATE
    first_seconds = WINDOW / 2 / RATE
    step_seconds = STEP / RATE

    @property
    def seconds(self) -> float:
        """Length of the recording, to a step."""
        return self.levels.shape[1] * self.step_seconds


def hear(opened: Path | BinaryIO, rate: int, frames: int, peak: float, *, downmix: bool = False) -> Novelty:
    """Listen to a recording, as loud as its peak allows.

    Args:
        opened: what spect.audio reads.
        rate, frames, peak: its own, as the scan found them.

    Raises:
        SoundError: as spect.audio.read.
    """
    rises, levels = [np.zeros((2, LAG), np.float32)], []
    waiting, unstepped, last = np.zeros(0, np.float32), np.zeros(0, np.float32), np.float32(0)
    for block in _blocks(opened, rate, frames, downmix):
        block = block / np.float32(max(peak, SILENT))
        waiting, unstepped = np.concatenate([waiting, block]), np.concatenate([unstepped, block])
        count = (len(waiting) - WINDOW) // HOP + 1
        if count > LAG:
            rises.append(_rises(waiting[: (count - 1) * HOP + WINDOW]))
            waiting = waiting[(count - LAG) * HOP :]
        whole = len(unstepped) // STEP * STEP
        levels.append(_levels(unstepped[:whole], last))
        last, unstepped = unstepped[whole - 1] if whole else last, unstepped[whole:]
    return Novelty(np.concatenate(rises, axis=1), np.concatenate([np.zeros((2, 0), np.float32), *levels], axis=1))


def _blocks(opened: Path | BinaryIO, rate: int, frames: int, downmix: bool) -> Iterator[np.ndarray]:
    """Read the mean of the channels at RATE, block by block. Shape: [n] each."""
    stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32") if rate != RATE else None
    for start in range(0, frames, BLOCK):
        sound, _ = read(opened, start, min(BLOCK, frames - start), downmix=downmix)
        mono = np.ascontiguousarray(sound.mean(axis=0))
        yield mono if stream is None else stream.resample_chunk(mono, last=start + BLOCK >= frames)


def _rises(sound: np.ndarray) -> np.ndarray:
    """Give the rises of frames LAG ... of a sound. Shape: [(n - 1) HOP + WINDOW] -> [2, n - LAG]."""
    library = librosa()
    mel = library.feature.melspectrogram(
        y=sound, sr=RATE, n_fft=WINDOW, hop_length=HOP, center=False, n_mels=BANDS, fmax=HIGHEST_HZ
    )
    log_mel = library.power_to_db(mel, ref=1.0, amin=FLOOR, top_db=None)
    centres = library.mel_frequencies(BANDS + 2, fmin=0.0, fmax=HIGHEST_HZ)[1:-1]
    edges = [0, int((centres < LOW_HZ).sum()), BANDS]
    parts = library.onset.onset_strength_multi(
        S=log_mel, sr=RATE, hop_length=HOP, lag=LAG, center=False, channels=edges
    )  # low, the rest
    shares = np.diff(edges)[:, None] / BANDS
    return np.stack([parts[0], (parts * shares).sum(axis=0)])[:, LAG:].astype(np.float32)


def _levels(sound: np.ndarray, before: np.float32) -> np.ndarray:
    """Give mean squares of steps. Shape: [m STEP] -> [2, m]."""
    both = np.stack([sound, np.diff(sound, prepend=before)]).reshape(2, -1, STEP)
    return np.square(both).mean(axis=2, dtype=np.float32)
