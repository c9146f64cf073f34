# SPDX-License-Identifier: Apache-2.0
"""The feature sets of spect.measures as encoders: always there, learned from nothing."""

from patches.scores.encoders.encoder import Encoder
from spect.measures import FEATURES

TABLE = FEATURES


def builtin(name: str) -> Encoder:
    """Give one of TABLE. Each takes sounds of any length whole, at their own rate and in stereo."""
    one = TABLE[name]
    return Encoder(name, f"{name} {one.version}", one.what, one.function)
