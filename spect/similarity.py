# SPDX-License-Identifier: Apache-2.0
"""How alike two sounds are, sample by sample (Henshaw 2022, section 2.3).

    a = cos(M1, M2),  b = cos(S1, S2),  similarity = sqrt((a^2 + b^2) / 2)                              (equation 8)

The shorter sound is padded with zeros. A completely empty channel is replaced by one filled with the machine epsilon,
so that two empty sides agree. The paper's trap lies right beside: an empty side against one that holds mere rounding
noise counts as unlike, and a faithful copy of a mono sound gets about .65. And any two mono sounds get .7071 or more,
as their sides agree. Squares make the measure blind to polarity.

    python -m spect.similarity one.wav other.wav
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from spect.audio import read, resample, to_stereo
from spect.errors import SoundError

EPSILON = float(np.finfo(np.float32).eps)


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Return the similarity of two stereo sounds, in [0, 1].

    Shape: [2, La], [2, Lb] -> a number.

    Raises:
        SoundError: another shape, nothing at all, NaN or Inf.
    """
    length = max(_checked(a).shape[1], _checked(b).shape[1])
    squares = [_cosine(one, other) ** 2 for one, other in zip(_mid_side(a, length), _mid_side(b, length), strict=True)]
    return float(np.sqrt(np.mean(squares)))


def _checked(sound: np.ndarray) -> np.ndarray:
    if sound.ndim != 2 or sound.shape[0] != 2 or sound.shape[1] == 0:
        raise SoundError(f"similarity: sounds are [2, L], got {list(sound.shape)}")
    if not np.isfinite(sound).all():
        raise SoundError("similarity: a sound holds NaN or Inf")
    return sound


def _mid_side(sound: np.ndarray, length: int) -> np.ndarray:
    """Return mid and side, padded, empty ones filled with epsilon. Shape: [2, L] -> float64 [2, length]."""
    padded = np.zeros((2, length))
    padded[:, : sound.shape[1]] = sound
    channels = np.stack([padded[0] + padded[1], padded[0] - padded[1]]) / 2
    channels[~channels.any(axis=1)] = EPSILON
    return channels


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    """Return the cosine of two signals, each scaled first, so that no level under- or overflows its square."""
    x, y = x / np.abs(x).max(), y / np.abs(y).max()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1, 1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the similarity of two sound files; a user's mistake is one line and 2."""
    parser = argparse.ArgumentParser(prog="python -m spect.similarity", description="How alike two sounds are, 0 to 1.")
    parser.add_argument("one", help="a sound file")
    parser.add_argument("other", help="another")
    parser.add_argument("--resample", action="store_true", help="bring the second to the first's sample rate")
    given = parser.parse_args(arguments)
    try:
        (one, rate), (other, other_rate) = read(given.one), read(given.other)
        if rate != other_rate and not given.resample:
            raise SoundError(
                f"{given.one} has {rate} Hz, {given.other} {other_rate} Hz; bring them together: --resample"
            )
        print(f"{similarity(to_stereo(one), to_stereo(resample(other, other_rate, rate))):.6f}")
    except SoundError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
