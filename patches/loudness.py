# SPDX-License-Identifier: Apache-2.0
"""Peak and tail of a finished sound: the only two things that may be changed on its way to a file, and both are told.

A sound is float32 [channels, L]; full scale is 1. Nothing here is done silently: each function says what it did.
"""

from dataclasses import dataclass

import numpy as np
import torch

from spect.measures import SILENT_DB, levels

CEILING_DB = -0.1  # where a peak above full scale is lowered to
TRIM_FLOOR_DB = -60.0  # under the sound's own peak


@dataclass(frozen=True)
class Levels:
    """What a person wants to know of a sound before using it. `dc` is the larger |mean| of its channels."""

    peak: float
    rms_db: float
    dc: float
    silent: bool

    @property
    def has_dc(self) -> bool:
        """Whether the mean is above 1 % of the peak."""
        return not self.silent and self.dc > 0.01 * self.peak


def measure(sound: np.ndarray) -> Levels:
    """Measure a sound [channels, L] of finite values."""
    found = levels(torch.from_numpy(sound)[None])
    return Levels(
        float(found["peak"][0]), float(found["rms_db"][0]), abs(float(found["dc"][0])), bool(found["silent"][0])
    )


def decibels(ratio: float) -> float:
    """Return 20 log10 of an amplitude ratio, -inf for 0."""
    return float(20 * np.log10(ratio)) if ratio > 0 else float("-inf")


def amplitude(gain_db: float) -> float:
    """Return the amplitude ratio of a gain in decibels."""
    return float(10 ** (gain_db / 20))


def lower_peak(sound: np.ndarray) -> tuple[np.ndarray, float]:
    """Lower a sound whose peak is above full scale to -0.1 dBFS; leave any other as it is.

    Returns:
        the sound and the gain in dB that was applied (0.0: untouched, the same array).
    """
    peak = float(np.abs(sound).max(initial=0.0))
    if peak <= 1.0:
        return sound, 0.0
    gain = amplitude(CEILING_DB) / peak
    return (sound.astype(np.float64) * gain).astype(np.float32), decibels(gain)


def trim_tail(sound: np.ndarray, floor_db: float = TRIM_FLOOR_DB) -> np.ndarray:
    """Cut what follows the last sample, in any channel, that is louder than `floor_db` under the sound's own peak.

    The floor is relative to the peak, so that a quiet sound keeps its tail and a gain doesn't move the cut.
    A silent sound is left whole: nothing in it says where it ends.
    """
    loudest = np.abs(sound).max(axis=0, initial=0.0)
    peak = float(loudest.max(initial=0.0))
    if peak < amplitude(SILENT_DB):
        return sound
    last = int(np.flatnonzero(loudest > peak * amplitude(floor_db))[-1])
    return sound[:, : last + 1]
