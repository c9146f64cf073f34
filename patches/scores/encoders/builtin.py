# SPDX-License-Identifier: Apache-2.0
"""The feature sets of spect.measures as encoders: always there, learned from nothing."""

from patches.scores.encoders.encoder import Encoder
from spect.measures import FEATURES


def builtin(name: str) -> Encoder:
    """Give one of FEATURES. Each takes sounds whole, at their own rate, with both channels."""
    one = FEATURES[name]
    return Encoder(name, f"{name} {one.version}", one.what, one.function)
