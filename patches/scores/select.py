# SPDX-License-Identifier: Apache-2.0
"""The best of several snapshots by one score, whether it is really better than the others, and when to give up.

Two figures differ really where their difference is beyond 1.96 times the root of their squared standard errors, taken
from their 95 % intervals. Snapshots share seeds and reference, so that this is on the careful side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from patches.errors import UserError
from patches.scores.figures import FIGURES, figure
from patches.scores.rows import Score
from patches.scores.tables import told
from stylegan3.metrics.estimate import Estimate

SIGNIFICANT = 1.96


@dataclass(frozen=True)
class Chosen:
    """One figure: METRIC[.FIGURE][:FEATURES], as "kad", "kad:waveform" or "prdc.recall".

    Where left out, the first of which one way is better, of the first features.
    """

    metric: str
    figure: str = ""
    features: str = ""

    @classmethod
    def parse(cls, text: str) -> "Chosen":
        """Read --select.

        Raises:
            UserError: empty, or a figure that can't be chosen by.
        """
        name, _, features = text.strip().partition(":")
        metric, _, chosen = name.partition(".")
        if not metric:
            raise UserError(f"--select={text}: give METRIC, METRIC.FIGURE or METRIC.FIGURE:FEATURES, as in kad:log-mel")
        judged = [name for name, one in FIGURES.items() if one.better is not None]
        if chosen and chosen.lower() not in judged:
            raise UserError(f"--select={text}: {chosen!r} is no figure to choose by; those are {', '.join(judged)}")
        return cls(metric.lower(), chosen.lower(), features)

    @property
    def told(self) -> str:
        """Say it as it was given."""
        return self.metric + (f".{self.figure}" if self.figure else "") + (f":{self.features}" if self.features else "")

    def of(self, rows: Sequence[Score]) -> list[tuple[Score, str]]:
        """Find the networks' rows that have the figure, and its name in them.

        Raises:
            UserError: there is none, and what there is; or nobody can say which way is better.
        """
        of_metric = [row for row in rows if row.kind == "network" and row.metric == self.metric]
        sets = list(dict.fromkeys(row.features for row in of_metric))
        features = next((one for one in sets if not self.features or one.split(" ")[0] == self.features), None)
        named = [row for row in of_metric if row.features == features]
        judged = (name for row in named for name in row.values if figure(name).better is not None)
        name = self.figure or next(judged, "")
        found = [(row, name) for row in named if name in row.values and math.isfinite(row.values[name].value)]
        if not found:
            there = ", ".join(sorted({f"{row.metric}.{name}" for row in rows for name in row.values})) or "none"
            raise UserError(f"--select={self.told}: no snapshot has that score; there is {there}")
        if figure(name).better is None:
            raise UserError(f"--select={self.told}: neither more nor less of {name} is better; choose another figure")
        return found


@dataclass(frozen=True)
class Best:
    """The best row, and the others that it isn't really better than."""

    row: Score
    figure: str
    doubtful: tuple[Score, ...]
    others: int

    def lines(self) -> list[str]:
        """Say it."""
        value = told(self.figure, self.row.values[self.figure])
        first = f"Best by {self.row.metric} {self.row.features}: {self.row.system}, {self.figure} {value}".replace(
            "  ", " "
        )
        if not self.others:
            return [f"{first}; there is no other"]
        if not self.doubtful:
            return [f"{first}; really better than all others ({self.others})"]
        near = ", ".join(f"{row.system} {told(self.figure, row.values[self.figure])}" for row in self.doubtful[:4])
        more = f" and {len(self.doubtful) - 4} more" * (len(self.doubtful) > 4)
        return [first, f"  its lead over {near}{more} may be chance ({len(self.doubtful)} of {self.others})"]


def best(rows: Sequence[Score], chosen: Chosen) -> Best:
    """Find the best snapshot.

    Raises:
        UserError: no row has the score.
    """
    found = chosen.of(rows)
    name, sign = found[0][1], 1 if figure(found[0][1]).better == "lower" else -1
    ordered = sorted((row for row, _ in found), key=lambda row: sign * row.values[name].value)
    doubtful = tuple(row for row in ordered[1:] if not differ(ordered[0].values[name], row.values[name]))
    return Best(ordered[0], name, doubtful, len(ordered) - 1)


def exhausted(rows: Sequence[Score], chosen: Chosen, patience_kimg: float) -> Best | None:
    """Tell the best snapshot where no later one was as good for so long; None while there is hope."""
    found = best(rows, chosen)
    last = max(row.kimg or 0.0 for row, _ in chosen.of(rows))
    return found if last - (found.row.kimg or 0.0) >= patience_kimg else None


def differ(a: Estimate, b: Estimate) -> bool:
    """Say whether two figures differ really; False where an interval is missing."""
    error = math.hypot(*((value.high - value.low) / (2 * SIGNIFICANT) for value in (a, b)))
    return abs(a.value - b.value) > SIGNIFICANT * error
