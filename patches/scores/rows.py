# SPDX-License-Identifier: Apache-2.0
"""One row of a table of scores: what was scored, by which measure, how well, from how much. JSON lines on disk.

A row never stands without its context: counts, seconds, seeds and the version of the features are part of it, and its
table holds the anchors (`kind` "anchor") of the same metric and features.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from stylegan3.metrics.estimate import Estimate

Kind = Literal["network", "anchor"]


@dataclass(frozen=True)
class Score:
    """What one measure says of one set of sounds.

    Args:
        metric: kad, frechet, prdc, ndb, pitch, defects, novelty, classes, ...
        features: the encoder or classifier and its version, as in "log-mel 2"; empty where sounds are measured.
        system: what was scored: a snapshot's stem, or an anchor's name as in "held-out real".
        values: the figures by name, as in {"kad": ...} or {"precision": ..., "recall": ...}.
        count, reference: sounds scored, and sounds that they were compared with (0 for none).
        seeds: of a network's sounds, as in "0-199"; empty for anchors.
        kimg: of a network.
    """

    metric: str
    features: str
    system: str
    kind: Kind
    values: Mapping[str, Estimate]
    count: int
    reference: int = 0
    seeds: str = ""
    seconds: float = 0.0
    kimg: float | None = None
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON types; what isn't finite is null."""
        return {
            "metric": self.metric,
            "features": self.features,
            "system": self.system,
            "kind": self.kind,
            "values": {name: _bounds(estimate) for name, estimate in self.values.items()},
            "count": self.count,
            "reference": self.reference,
            "seeds": self.seeds,
            "seconds": self.seconds,
            "kimg": self.kimg,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Score":
        """Read `to_dict`'s form back."""
        estimates = {name: Estimate(*map(_number, bounds)) for name, bounds in values["values"].items()}
        return cls(**{**values, "values": estimates, "notes": tuple(values["notes"])})


def _bounds(estimate: Estimate) -> list[float | None]:
    return [one if math.isfinite(one) else None for one in (estimate.value, estimate.low, estimate.high)]


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
