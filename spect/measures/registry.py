# SPDX-License-Identifier: Apache-2.0
"""The feature sets of sounds by name, and a way to compute them whose memory doesn't grow with the number of sounds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from spect.errors import SoundError
from spect.measures.features import FEATURE_VERSION, log_mel_statistics, stereo_and_level, waveform_features
from spect.measures.modulation import modulation_spectrum

BATCH_SAMPLES = 2**20  # samples of all channels in one batch: 11 stereo seconds at 44.1 kHz, some 100 MB of frames


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


def features_in_batches(
    feature: FeatureSet, sounds: Iterable[Tensor], sample_rate: int, *, device: torch.device | str | None = None
) -> Tensor:
    """Compute the features of any number of sounds, a batch at a time.

    Args:
        sounds: [1 or 2, L] each, all of one shape; a tensor [N, 1 or 2, L] is an iterable of them.
        device: where to compute; None: where each sound is.

    Shape: N times [1 or 2, L] -> float32 [N, d], on the CPU.

    Raises:
        SoundError: no sounds; sounds of several shapes; NaN or Inf.
    """
    with torch.no_grad():
        found = [feature.function(batch.to(device), sample_rate).cpu() for batch in in_batches(sounds)]
    if not found:
        raise SoundError(f"features {feature.name}: no sounds were given; at least one is needed")
    return torch.cat(found)


def in_batches(sounds: Iterable[Tensor]) -> Iterator[Tensor]:
    """Stack sounds into batches of at most about a million samples. Shape: [1 or 2, L] each -> [B, 1 or 2, L] each.

    Raises:
        SoundError: sounds of several shapes.
    """
    given = iter(sounds)
    for first in given:
        size = max(1, BATCH_SAMPLES // max(1, first.numel()))
        break
    else:
        return
    held: list[Tensor] = []
    for sound in chain([first], given):
        if sound.shape != first.shape:
            shapes = f"{list(first.shape)} and {list(sound.shape)}"
            raise SoundError(f"measures: sounds of one set have one shape, got {shapes}; cut or pad them first")
        held.append(sound)
        if len(held) == size:
            yield torch.stack(held)
            held = []
    if held:
        yield torch.stack(held)
