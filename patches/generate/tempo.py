# SPDX-License-Identifier: Apache-2.0
"""The tempo of what a network learned (dataset_tool_wav.py --beats), in the sounds it makes: for samplers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spect.beats.options import loop_samples
from spect.wavfile import Acid


@dataclass(frozen=True)
class Tempo:
    """Beats a minute, and the beats of a loop: None where the sounds aren't loops."""

    bpm: float
    beats: int | None = None

    @classmethod
    def from_header(cls, value: Mapping[str, Any] | None) -> "Tempo | None":
        """Read a snapshot's header.

        Raises:
            KeyError, TypeError: it is damaged.
        """
        if value is None:
            return None
        bpm, beats = value["bpm"], value["beats"]
        if (
            not isinstance(bpm, float | int)
            or not bpm > 0
            or not (beats is None or (isinstance(beats, int) and beats > 0))
        ):
            raise TypeError(f"tempo {bpm!r}, {beats!r} beats")
        return cls(float(bpm), beats)

    def loop(self, sound: np.ndarray, rate: int) -> np.ndarray:
        """Cut a sound to its loop's beats, where it is one. Shape: [2, L] -> [2, at most L]."""
        return sound if self.beats is None else sound[:, : loop_samples(self.beats, self.bpm, rate)]

    def acid(self, samples: int, rate: int) -> Acid:
        """Say the tempo of a sound of so many samples; it is a loop if its beats fill it exactly."""
        exact = self.beats is not None and samples == loop_samples(self.beats, self.bpm, rate)
        beats = self.beats if exact and self.beats else max(1, round(samples * self.bpm / (60 * rate)))
        return Acid(self.bpm, beats, loop=exact)
