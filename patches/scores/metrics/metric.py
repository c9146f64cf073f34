# SPDX-License-Identifier: Apache-2.0
"""What every metric is: the probes it needs, and a judge made for the data that sounds are compared with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from patches.scores.probes import Measured, Probe
from spect.archives.opening import AnyArchive
from stylegan3.metrics.estimate import Estimate


@dataclass(frozen=True)
class Part:
    """One row of a metric, without what all rows of a set share.

    Args:
        features: what the sounds were described by, with its version; empty where they were measured themselves.
        reference: how many sounds they were compared with.
    """

    features: str
    values: Mapping[str, Estimate]
    reference: int = 0
    notes: tuple[str, ...] = ()


Judge = Callable[[Measured], list[Part]]


@dataclass(frozen=True)
class Against:
    """What sounds are compared with.

    Args:
        reference: held-out sounds; train: those that were trained on.
        archive: whose labels the items' are.
        held_out: whether the reference was held out of training.
    """

    reference: Measured
    train: Measured
    archive: AnyArchive
    held_out: bool = True


class Metric(Protocol):
    """A way to score sets of sounds."""

    @property
    def name(self) -> str:
        """As in --metrics and in the name of its file, metric-NAME.jsonl."""

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What is asked of every sound."""

    def judge(self, against: Against) -> Judge:
        """Prepare what all sets are compared with, once."""
