# SPDX-License-Identifier: Apache-2.0
"""What a training asks of the process that scores its snapshots."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Job:
    """What all snapshots of a run are scored with.

    Args:
        data: the archive or archives; metrics: names; most: sounds of a snapshot.
    """

    data: str
    metrics: tuple[str, ...]
    device: str
    most: int = 512

    def line(self) -> str:
        """Write it as a line."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read(cls, text: str) -> "Job":
        """Read a line."""
        values = json.loads(text)
        return cls(values["data"], tuple(values["metrics"]), values["device"], values["most"])
