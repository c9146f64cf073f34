# SPDX-License-Identifier: Apache-2.0
"""Whether outputs are new: their nearest training sounds, beside those of held-out sounds, and near-duplicates."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.metrics.of_encoders import features_of
from patches.scores.probes import Measured, Probe
from stylegan3.metrics import near_duplicates, nearest, nearest_within, novelty

ALIKE = 0.01


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
        notes: tuple[str, ...]
        if not against.held_out:
            reason = "no sound is held out, whose distances to the training sounds would say what is usual"
            notes, usual = (reason,), None
        else:
            notes, usual = (), self.distances(against.reference, against)[0]
        train = features_of(against.train, self.probe)

        def judge(measured: Measured) -> list[Part]:
            features = features_of(measured, self.probe)
            values = {} if usual is None else novelty(nearest(features, train)[0], usual).values()
            values |= near_duplicates(features, alike(train, measured.count)).values()
            return [Part(self.probe.version, values, against.train.count, notes)]

        return judge


def alike(train: Tensor, count: int) -> float:
    """Give the distance below which two sounds of a set are near-duplicates: the 1 % quantile of what a set of real
    sounds of that size has between neighbours (of all there are, where they are fewer).
    """
    chosen = torch.from_numpy(np.random.default_rng(0).permutation(len(train))[:count])
    return float(nearest_within(train[chosen])[0].quantile(ALIKE))
