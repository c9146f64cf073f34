# SPDX-License-Identifier: Apache-2.0
"""Encoders as probes: an embedding a sound."""

from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor

from patches.scores.encoders import Encoder
from patches.scores.probes import Measured, Probe
from patches.scores.sounds import Heard


def probes_of(encoders: Sequence[Encoder], sample_rate: int) -> tuple[Probe, ...]:
    """Make an encoder's probe of each."""
    return tuple(Probe(one.name, one.version, partial(_look, one, sample_rate)) for one in encoders)


def features_of(measured: Measured, probe: Probe) -> Tensor:
    """Give what an encoder's probe found. Shape: [n, d]."""
    return measured.found[f"{probe.name}/features"]


def _look(encoder: Encoder, sample_rate: int, heard: Heard) -> Mapping[str, Tensor]:
    return {"features": encoder(heard.sounds, sample_rate)}
