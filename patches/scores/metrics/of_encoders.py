# SPDX-License-Identifier: Apache-2.0
"""Encoders as probes: an embedding a sound; and how sets of embeddings are compared, one row an encoder."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from torch import Tensor

from patches.scores.encoders import Encoder
from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.probes import Measured, Probe
from patches.scores.sounds import Heard
from stylegan3.errors import NetworkError
from stylegan3.metrics.estimate import Estimate

Compare = Callable[[Tensor], tuple[Mapping[str, Estimate], tuple[str, ...]]]
"""Features of a set -> figures and notes."""


def probes_of(encoders: Sequence[Encoder], sample_rate: int) -> tuple[Probe, ...]:
    """Make an encoder's probe of each."""
    return tuple(Probe(one.name, one.version, partial(_look, one, sample_rate)) for one in encoders)


def features_of(measured: Measured, probe: Probe) -> Tensor:
    """Give what an encoder's probe found. Shape: [n, d]."""
    return measured.found[f"{probe.name}/features"]


def _look(encoder: Encoder, sample_rate: int, heard: Heard) -> Mapping[str, Tensor]:
    return {"features": encoder(heard.sounds, sample_rate)}


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
