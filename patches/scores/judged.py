# SPDX-License-Identifier: Apache-2.0
"""A network that was scored, with all that was found on the way, but without itself: a run's would fill the memory."""

from dataclasses import dataclass
from pathlib import Path

import torch

from patches.generate.network import Network, open_network
from patches.scores.evaluation import Evaluation
from patches.scores.probes import Measured
from patches.scores.rows import Score


@dataclass(frozen=True)
class Judged:
    """A snapshot with what was found of its sounds."""

    path: Path
    device: torch.device
    evaluation: Evaluation
    measured: Measured
    scores: tuple[Score, ...]

    def network(self) -> Network:
        """Open it again."""
        return open_network(self.path, self.device)
