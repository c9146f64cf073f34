# SPDX-License-Identifier: Apache-2.0
"""Whether a set covers what the reference has, and holds nothing else: precision, recall, density, coverage, bins."""

from dataclasses import dataclass

import torch

from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.metrics.of_encoders import features_of
from patches.scores.probes import Measured, Probe
from stylegan3.metrics import Bins, prdc

SEED = 0  # of the bins


@dataclass(frozen=True)
class Coverage:
    """Precision, recall, density and coverage of the 5 nearest neighbours, one row an encoder."""

    probes: tuple[Probe, ...]
    name: str = "prdc"

    def judge(self, against: Against) -> Judge:
        """Take the reference as it is."""

        def judge(measured: Measured) -> list[Part]:
            return [
                Part(
                    probe.version,
                    prdc(features_of(against.reference, probe), features_of(measured, probe)),
                    against.reference.count,
                )
                for probe in self.probes
            ]

        return judge


@dataclass(frozen=True)
class DifferentBins:
    """The share of bins whose counts differ (NDB/K) and the bins' Jensen-Shannon divergence, one row an encoder."""

    probes: tuple[Probe, ...]
    name: str = "ndb"

    def judge(self, against: Against) -> Judge:
        """Cut the reference into bins."""
        bins = {
            probe: Bins.fit(features_of(against.reference, probe), rng=torch.Generator().manual_seed(SEED))
            for probe in self.probes
        }

        def judge(measured: Measured) -> list[Part]:
            return [
                Part(probe.version, own.compare(features_of(measured, probe)), against.reference.count)
                for probe, own in bins.items()
            ]

        return judge
