# SPDX-License-Identifier: Apache-2.0
"""A network that was scored, with all that was found on the way."""

from dataclasses import dataclass

from patches.generate.network import Network
from patches.scores.evaluation import Evaluation
from patches.scores.probes import Measured
from patches.scores.rows import Score


@dataclass(frozen=True)
class Judged:
    """A network with what was found of its sounds."""

    network: Network
    evaluation: Evaluation
    measured: Measured
    scores: tuple[Score, ...]
