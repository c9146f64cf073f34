# SPDX-License-Identifier: Apache-2.0
"""Beats of a segment as a curve, and the comb that tells how well they lie on what is heard.

    beat number  phi(t) = c0 + c1 t + c2 t^2           t in seconds from the segment's middle; beats where phi is whole
    score        sum over frames and h = 1 ... 4 of v(t) cos(2 pi h phi(t)), over 4 sum of v

v is what sets in at a frame: the score is 1 for a click on every beat, about 0 for noise.
"""

from dataclasses import dataclass

import numpy as np

HARMONICS = np.arange(1, 5)
PHASES = 64
NEAR = 0.04  # of a tempo, within which the comb looks; librosa's tempos come in steps of 2.6 %
TRANSFORM = 1 << 19  # frequencies in steps of 0.02 BPM


@dataclass(frozen=True)
class Grid:
    """Beats of a segment: whole values of c0 + c1 t + c2 t^2, t in seconds from `middle`."""

    middle: float
    c0: float
    c1: float
    c2: float = 0.0

    def number(self, seconds: np.ndarray | float) -> np.ndarray:
        """Give the beat numbers at times of the recording."""
        time = np.asarray(seconds) - self.middle
        return np.asarray(self.c0 + self.c1 * time + self.c2 * time**2)

    def time(self, number: float) -> float:
        """Give the time of a beat."""
        root = np.sqrt(self.c1**2 - 4 * self.c2 * (self.c0 - number))
        return float(self.middle + 2 * (number - self.c0) / (self.c1 + root))

    def tempo(self, begin: float, end: float) -> float:
        """Give the mean tempo between two times, in beats a minute."""
        return float(60 * (self.number(end) - self.number(begin)) / (end - begin))

    def moved(self, c0: float, c1: float = 0.0, c2: float = 0.0) -> "Grid":
        """Add to the beat numbers."""
        return Grid(self.middle, self.c0 + c0, self.c1 + c1, self.c2 + c2)


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
