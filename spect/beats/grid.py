# SPDX-License-Identifier: Apache-2.0
"""Beats of a segment as a curve, and the comb that tells how well they lie on what is heard.

    beat number  phi(t) = c0 + c1 t + c2 t^2 + bend(t)     t in seconds from the segment's middle; beats: phi whole
    score        sum over frames and h = 1 ... 4 of v(t) cos(2 pi h phi(t)), over 4 sum of v

v is what sets in at a frame: the score is 1 for a click on every beat, about 0 for noise.
"""

from dataclasses import dataclass, replace

import numpy as np

HARMONICS = np.arange(1, 5)
PHASES = 64
NEAR = 0.04  # of a tempo, within which the comb looks; librosa's tempos come in steps of 2.6 %
INVERSIONS = 8
TRANSFORM = 1 << 19  # frequencies in steps of 0.02 BPM


@dataclass(frozen=True)
class Grid:
    """Beats of a segment: whole values of c0 + c1 t + c2 t^2 + bend(t), t in seconds from `middle`.

    Args:
        bend: times t and what is added there, in between along straight lines: players don't keep to a parabola.
    """

    middle: float
    c0: float
    c1: float
    c2: float = 0.0
    bend: tuple[tuple[float, float], ...] = ()

    def number(self, seconds: np.ndarray | float) -> np.ndarray:
        """Give the beat numbers at times of the recording."""
        time = np.asarray(seconds) - self.middle
        return np.asarray(self.c0 + self.c1 * time + self.c2 * time**2 + self._bent(time))

    def time(self, number: float) -> float:
        """Give the time of a beat."""
        time = 0.0
        for _ in range(INVERSIONS):  # the bend is slight, so that each brings some digits
            rest = self.c0 + float(self._bent(time)) - number
            time = -2 * rest / (self.c1 + float(np.sqrt(self.c1**2 - 4 * self.c2 * rest)))
        return self.middle + time

    def tempo(self, begin: float, end: float) -> float:
        """Give the mean tempo between two times, in beats a minute."""
        return float(60 * (self.number(end) - self.number(begin)) / (end - begin))

    def moved(self, c0: float, c1: float = 0.0, c2: float = 0.0) -> "Grid":
        """Add to the beat numbers."""
        return replace(self, c0=self.c0 + float(c0), c1=self.c1 + float(c1), c2=self.c2 + float(c2))

    def _bent(self, time: np.ndarray | float) -> np.ndarray:
        if not self.bend:
            return np.zeros_like(time, dtype=float)
        times, shifts = np.transpose(self.bend)
        return np.asarray(np.interp(time, times, shifts))


def scores(values: np.ndarray, number: np.ndarray, total: float) -> np.ndarray:
    """Give the scores where 0, 1/64, ... is added to the beat numbers. Shape: [n], [n] -> [64]."""
    sums = np.exp(-2j * np.pi * HARMONICS[:, None] * number) @ values
    turns = np.exp(2j * np.pi * HARMONICS * np.arange(PHASES)[:, None] / PHASES)
    return np.asarray((turns @ sums.conj()).real / (len(HARMONICS) * max(total, 1e-9)))


class Comb:
    """The scores of all steady tempos, out of one Fourier transform.

    Args:
        values: what sets in, a frame each.
        frame_seconds: from one frame to the next.
        first: time of the first frame, from the segment's middle.
    """

    def __init__(self, values: np.ndarray, frame_seconds: float, first: float) -> None:
        self._spectrum = np.fft.rfft(values - values.mean(), max(TRANSFORM, len(values)))
        self._step = 1 / (max(TRANSFORM, len(values)) * frame_seconds)
        self._first = first
        self._total = len(HARMONICS) * float(values.sum())

    def near(self, bpm: float) -> tuple[float, float, float]:
        """Find the tempo within 4 % of `bpm` of the highest score; gives score, beats a second and c0."""
        frequency = bpm / 60
        bins = np.arange(int(frequency * (1 - NEAR) / self._step), int(frequency * (1 + NEAR) / self._step) + 2)
        at = np.minimum(bins * HARMONICS[:, None], len(self._spectrum) - 1)  # bin k stands for k * step
        sums = self._spectrum[at] * np.exp(-2j * np.pi * at * self._step * self._first)
        turns = np.exp(2j * np.pi * HARMONICS[:, None] * np.arange(PHASES) / PHASES)
        found = np.einsum("hf,hp->fp", sums.conj(), turns).real
        best, phase = np.unravel_index(int(found.argmax()), found.shape)
        return float(found[best, phase] / self._total), float(bins[best] * self._step), float(phase / PHASES)
