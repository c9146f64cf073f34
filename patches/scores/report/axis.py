# SPDX-License-Identifier: Apache-2.0
"""A plot's axis: from numbers to places in a picture, linear or logarithmic, with round ticks (1, 2, 5)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDE, WIDEST = 30.0, 1e9  # ratios of the largest to the smallest between which positive values go on a logarithmic axis


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` lie from `start` to `end` (which may be smaller: upwards in a picture)."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Give a value's place; what lies outside is put on the edge."""
        low, high, at = map(self._scale, (self.low, self.high, min(max(value, self.low), self.high)))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Tell whether a value lies on the axis."""
        return self.low <= value <= self.high

    def ticks(self, about: int = 5) -> list[float]:
        """Give round values on the axis."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            steps = (1, 2, 5) if last - first <= 2 else (1,)
            every = max(1, round((last - first) / about))
            found = [step * 10.0**power for power in range(first, last + 1, every) for step in steps]
            return [value for value in found if self.holds(value)]
        step = _round_step((self.high - self.low) / about)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [index * step for index in range(first, last + 1)]

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.log else value


def is_wide(values: Sequence[float]) -> bool:
    """Tell whether values are all above 0 and far apart."""
    low, high = min(values), max(values)
    return low > 0 and WIDE * low <= high <= WIDEST * low


def spanning(values: Iterable[float], start: float, end: float, *, log: bool = True, room: float = 0.05) -> Axis:
    """Lay an axis over the finite ones of these values, with some room at both ends.

    Args:
        log: whether it is logarithmic where all values are above 0 and far apart.
        room: share of the axis that is left empty at each end.
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if log and is_wide(finite):
        spare = max((high / low) ** room, 1.01)
        return Axis(low / spare, high * spare, start, end, log=True)
    spare = (high - low) * room if high > low else abs(high) * 0.5 or 0.5
    return Axis(low - spare, high + spare, start, end)


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(step for step in (1, 2, 5, 10) if step * power >= rough * 0.999)
