# SPDX-License-Identifier: Apache-2.0
"""The feature sets of sounds by name."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from spect.measures.features import FEATURE_VERSION, log_mel_statistics, stereo_and_level, waveform_features
from spect.measures.modulation import modulation_spectrum


@dataclass(frozen=True)
class FeatureSet:
    """Numbers that describe a sound, and between which distances mean something.

    Args:
        name: how tables and the command line call it.
        version: changes with any number that `function` gives; scores of different versions can't be compared.
        function: [N, 1 or 2, L] and a sample rate in Hz -> float32 [N, d].
        what: one line for tables: what it hears.
    """

    name: str
    version: int
    function: Callable[[Tensor, int], Tensor]
    what: str


_SETS = (
    FeatureSet(
        "log-mel", FEATURE_VERSION, log_mel_statistics, "spectrum, its spread, course and steps; blind to phase"
    ),
    FeatureSet("modulation", 1, modulation_spectrum, "how fast each part of the spectrum moves, 2 to 64 Hz"),
    FeatureSet("stereo", FEATURE_VERSION, stereo_and_level, "width, balance and correlation by octave, and level"),
    FeatureSet("waveform", FEATURE_VERSION, waveform_features, "envelopes, peaks and periods of the wave; hears phase"),
)
FEATURES: dict[str, FeatureSet] = {one.name: one for one in _SETS}
