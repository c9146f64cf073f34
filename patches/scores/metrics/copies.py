# SPDX-License-Identifier: Apache-2.0
"""Whether outputs are new: their nearest training sounds, beside those of held-out sounds, and near-duplicates."""

import math
from dataclasses import dataclass

from torch import Tensor

from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.metrics.of_encoders import features_of
from patches.scores.probes import Measured, Probe
from stylegan3.metrics import near_duplicates, nearest, novelty
from stylegan3.metrics.estimate import Estimate


@dataclass(frozen=True)
class Novelty:
    """Distances to the nearest training sound against those of held-out sounds, and pairs of outputs that are alike.

    Args:
        probe: of the encoder whose distances count.
    """

    probe: Probe
    name: str = "novelty"

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The one encoder."""
        return (self.probe,)

    def distances(self, measured: Measured, against: Against) -> tuple[Tensor, Tensor]:
        """Find each sound's nearest training sound: its distance and its place in the train set. Shape: [n], [n]."""
        return nearest(features_of(measured, self.probe), features_of(against.train, self.probe))

    def judge(self, against: Against) -> Judge:
        """Measure how far held-out sounds are from training sounds."""
        if not against.held_out:
            reason = "no sound is held out, whose distances to the training sounds would say what is usual"
            return lambda measured: [Part(self.probe.version, {"nearest": Estimate(math.nan)}, notes=(reason,))]
        usual, _ = self.distances(against.reference, against)

        def judge(measured: Measured) -> list[Part]:
            found, _ = self.distances(measured, against)
            values = novelty(found, usual)
            values |= near_duplicates(features_of(measured, self.probe), usual)
            return [Part(self.probe.version, values, against.train.count)]

        return judge
