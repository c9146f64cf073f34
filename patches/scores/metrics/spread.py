# SPDX-License-Identifier: Apache-2.0
"""Whether a set covers what the reference has, and holds nothing else: precision, recall, density, coverage, bins."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.metrics.of_encoders import features_of
from patches.scores.probes import Measured, Probe
from stylegan3.errors import NetworkError
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


Compare = Callable[[Tensor], tuple[Mapping[str, Estimate], tuple[str, ...]]]


def by_encoder(probes: tuple[Probe, ...], against: Against, prepare: Callable[[Tensor], Compare], first: str) -> Judge:
    """Make a judge that compares features, one row an encoder; a set that is too small gets a row that says so.

    Args:
        prepare: what is done with the reference's features, once.
        first: the name of the figure that is missing then.
    """
    prepared: dict[Probe, Compare | str] = {}
    for probe in probes:
        try:
            prepared[probe] = prepare(features_of(against.reference, probe))
        except NetworkError as error:
            prepared[probe] = str(error)

    def judge(measured: Measured) -> list[Part]:
        return [_part(probe, compare, measured, against) for probe, compare in prepared.items()]

    def _part(probe: Probe, compare: Compare | str, measured: Measured, against: Against) -> Part:
        reason = compare if isinstance(compare, str) else ""
        if not isinstance(compare, str):
            try:
                values, notes = compare(features_of(measured, probe))
                return Part(probe.version, values, against.reference.count, notes)
            except NetworkError as error:
                reason = str(error)
        return Part(probe.version, {first: Estimate(math.nan)}, against.reference.count, (reason,))

    return judge
