# SPDX-License-Identifier: Apache-2.0
"""Sounds -> numbers and features, deterministic and batched: what scores are made of."""

from spect.measures.features import (
    FEATURE_VERSION,
    SILENT_DB,
    levels,
    log_mel_statistics,
    log_spectral_distance,
    mel_filters,
    stereo_and_level,
    waveform_features,
)

__all__ = [
    "FEATURE_VERSION",
    "SILENT_DB",
    "levels",
    "log_mel_statistics",
    "log_spectral_distance",
    "mel_filters",
    "stereo_and_level",
    "waveform_features",
]
