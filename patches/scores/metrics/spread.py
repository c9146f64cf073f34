# SPDX-License-Identifier: Apache-2.0
"""Whether a set covers what the reference has, and holds nothing else: precision, recall, density, coverage, bins."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from patches.scores.metrics.metric import Against, Judge
from patches.scores.metrics.of_encoders import Compare, by_encoder
from patches.scores.probes import Probe
from stylegan3.metrics import balls, bins, ndb, prdc
from stylegan3.metrics.estimate import Estimate

SEED = 0  # of the bins


@dataclass(frozen=True)
class Coverage:
    """Precision, recall, density and coverage of the 5 nearest neighbours, one row an encoder."""

    probes: tuple[Probe, ...]
    name: str = "prdc"

    def judge(self, against: Against) -> Judge:
        """Find the reference's neighbourhoods."""

        def prepare(features: Tensor) -> Compare:
            reference = balls(features)
            return lambda other: (prdc(reference, other).values(), ())

        return by_encoder(self.probes, against, prepare, "precision")


@dataclass(frozen=True)
class DifferentBins:
    """The share of bins whose counts differ (NDB/K) and the bins' Jensen-Shannon divergence, one row an encoder."""

    probes: tuple[Probe, ...]
    name: str = "ndb"

    def judge(self, against: Against) -> Judge:
        """Cut the reference into bins."""

        def prepare(features: Tensor) -> Compare:
            reference = bins(features, rng=torch.Generator().manual_seed(SEED))

            def compare(other: Tensor) -> tuple[Mapping[str, Estimate], tuple[str, ...]]:
                found = ndb(reference, other, rng=torch.Generator().manual_seed(SEED))
                share, count = found.values()["ndb_share"], found.values()["ndb"]
                return {"ndb_share": share, "ndb": count, "js_bits": found.divergence}, found.notes

            return compare

        return by_encoder(self.probes, against, prepare, "ndb_share")
