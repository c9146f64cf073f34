# SPDX-License-Identifier: Apache-2.0
"""The feature functions of spect.measures as encoders: always there, learned from nothing."""

from patches.scores.encoders.encoder import Encoder
from spect import measures

TABLE = {
    "log-mel": (measures.log_mel_statistics, "spectrum, decay and rhythm of the mid over five time scales; no phase"),
    "waveform": (measures.waveform_features, "envelopes, crest and autocorrelation of the samples; no spectrogram"),
    "stereo": (measures.stereo_and_level, "level, and how bands lie between left and right"),
}


def builtin(name: str) -> Encoder:
    """Give one of TABLE. Each takes sounds of any length whole, at their own rate and in stereo."""
    function, what = TABLE[name]
    return Encoder(name, f"{name} {measures.FEATURE_VERSION}", what, function)
