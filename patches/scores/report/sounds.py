# SPDX-License-Identifier: Apache-2.0
"""Sounds for a page: each once, as 16-bit FLAC in base64, never clipped in silence.

FLAC (Coalson 2001) gives back every 16-bit sample, so that the page plays what would be in a 16-bit wav file, in about
half its bytes. A sound above full scale is lowered to -0.1 dBFS and says so; one that holds NaN or Inf is silence, and
says so.
"""

import base64
import hashlib
import io
from dataclasses import dataclass, field

import numpy as np
import soundfile

from patches.loudness import lower_peak
from patches.scores.report.content import Clip

FULL = 2**15


@dataclass
class Sounds:
    """Gathers the sounds of a page, in the order in which they are first used; `rate` is the first one's, in Hz."""

    data: list[str] = field(default_factory=list)
    rate: int = 0
    _places: dict[bytes, int] = field(default_factory=dict)

    def add(self, clip: Clip) -> tuple[int, str]:
        """Take a sound in, once however often it is shown.

        Returns:
            its place among `data`, and what was done to it, in words (empty: nothing).
        """
        sound, done = playable(clip.sound)
        packed = flac(sound, clip.rate)
        self.rate = self.rate or clip.rate
        key = hashlib.sha256(packed).digest()
        if key not in self._places:
            self._places[key] = len(self.data)
            self.data.append(base64.b64encode(packed).decode("ascii"))
        return self._places[key], done


def playable(sound: np.ndarray) -> tuple[np.ndarray, str]:
    """Bring a sound into [-1, 1], and tell in words what was done. Shape: [C, L] -> [C, L]."""
    if not np.isfinite(sound).all():
        return np.zeros_like(sound), "holds NaN or Inf; silence is played"
    lowered, gain_db = lower_peak(sound)
    return lowered, f"played {-gain_db:.1f} dB lower: its peak is above full scale" if gain_db else ""


def flac(sound: np.ndarray, rate: int) -> bytes:
    """Pack a sound as 16-bit FLAC. Shape: [C, L], in [-1, 1]."""
    codes = np.rint(sound.T.astype(np.float64) * FULL).clip(-FULL, FULL - 1).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, codes, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
