# SPDX-License-Identifier: Apache-2.0
"""Sounds -> numbers and features, deterministic and batched: what scores are made of."""

from spect.measures.clicks import clicks_per_second, frame_clicks
from spect.measures.defects import UNITS, judge, measure
from spect.measures.envelope import times_ms
from spect.measures.features import (
    FEATURE_VERSION,
    SILENT_DB,
    levels,
    log_mel_statistics,
    log_spectral_distance,
    stereo_and_level,
    waveform_features,
)
from spect.measures.image import stereo_image
from spect.measures.mel_spectrogram import mel_filters
from spect.measures.modulation import modulation_spectrum
from spect.measures.pitch import CentsOff, Pitch, cents_off, pitch_track
from spect.measures.registry import FEATURES, FeatureSet
from spect.measures.timbre import timbre

__all__ = [
    "FEATURES",
    "FEATURE_VERSION",
    "SILENT_DB",
    "UNITS",
    "CentsOff",
    "FeatureSet",
    "Pitch",
    "cents_off",
    "clicks_per_second",
    "frame_clicks",
    "judge",
    "levels",
    "log_mel_statistics",
    "log_spectral_distance",
    "measure",
    "mel_filters",
    "modulation_spectrum",
    "pitch_track",
    "stereo_and_level",
    "stereo_image",
    "timbre",
    "times_ms",
    "waveform_features",
]
