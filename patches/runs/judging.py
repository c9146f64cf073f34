# SPDX-License-Identifier: Apache-2.0
"""What a run does with scores: metric-NAME.jsonl, stats and TensorBoard, a line each, and patience."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from patches.errors import UserError
from patches.runs.interrupt import Stop
from patches.runs.reporter import Log, Reporter
from patches.runs.scoring import LEAST_SECONDS, LOOK_SECONDS, Scoring
from patches.scores.files import append_rows, read_rows
from patches.scores.rows import Score
from patches.scores.select import Best, Chosen, best, exhausted
from patches.scores.tables import told

BESIDE = ("held-out real", "train real")  # the anchors that a line tells
LINE_FIGURES = 2  # of a row
PATIENCE = "--patience"


@dataclass
class Judging:
    """The scores of a run's snapshots as they come in.

    Args:
        folder: the run's; patience: kimg without a better score after which the run ends; None: never.
    """

    folder: Path
    scoring: Scoring
    chosen: Chosen
    patience: float | None
    reporter: Reporter
    log: Log
    rows: list[Score] = field(init=False)
    _told_short: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.rows = read_rows(self.folder)

    def tick(self, seconds_between: float) -> tuple[dict[str, float], str | None]:
        """Take what is ready; return the newest scores for stats.jsonl, and why the run should end, or None.

        Args:
            seconds_between: time from one snapshot to the next, as training goes now.
        """
        self.scoring.pace(seconds_between)
        if self.scoring.too_short and not self._told_short:
            self._told_short = True
            self.log(
                f"  no scores beside this training: its snapshots are {seconds_between:.0f} s apart, and a tenth of "
                f"that is under {LEAST_SECONDS:g} s; afterwards: python calc_metrics.py --network={self.folder}"
            )
        self._take(*self.scoring.poll())
        return self.newest(), self._out_of_patience()

    def newest(self) -> dict[str, float]:
        """Give the figures of the snapshot that was scored last, and its kimg; nothing before there is one."""
        rows = [row for row in self.rows if row.kind == "network" and row.kimg is not None]
        last = max((row.kimg or 0.0 for row in rows), default=0.0)
        values = {
            f"{row.metric}.{name} {row.features}".strip(): value.value
            for row in rows
            if row.kimg == last
            for name, value in row.values.items()
            if math.isfinite(value.value)
        }
        return {"kimg": last, **values} if values else {}

    def finish(self, stop: Stop) -> None:
        """Wait for the last snapshot's scores, unless a signal or the time limit comes, and name the best snapshot."""
        if self.scoring.pending:
            self.log(f"  scoring {self.scoring.pending.stem}; Ctrl-C ends without")
        while self.scoring.pending and stop() is None:
            self._take(*self.scoring.poll(wait=LOOK_SECONDS))
        self.scoring.close()
        for line in self.best_lines():
            self.log(line)

    def best_lines(self) -> list[str]:
        """Name the best snapshot so far; nothing where none was scored."""
        found = self._best()
        return found.lines() if found else []

    def _best(self) -> Best | None:
        try:
            return best(self.rows, self.chosen)
        except UserError:  # not scored yet
            return None

    def _out_of_patience(self) -> str | None:
        if self.patience is None or self._best() is None:
            return None
        found = exhausted(self.rows, self.chosen, self.patience)
        if found is None:
            return None
        return f"{PATIENCE}={self.patience:g}: no snapshot was better than {found.row.system} for so many kimg"

    def _take(self, rows: Sequence[Score], lines: Iterable[str]) -> None:
        known = {(row.metric, row.features, row.system) for row in self.rows if row.kind == "anchor"}
        new = [row for row in rows if (row.metric, row.features, row.system) not in known]
        append_rows(self.folder, new)
        self.rows += new
        for line in lines:
            self.log(line)
        for row in new:
            if row.kind == "network":
                self.log(self._line(row))
                self._show(row)

    def _line(self, row: Score) -> str:
        named = list(row.values)[:LINE_FIGURES]
        figures = ", ".join(f"{name} {told(name, row.values[name])}" for name in named)
        anchor = self._anchor(row)
        beside = (
            ", ".join(f"{told(name, anchor.values[name])}" for name in named if name in anchor.values) if anchor else ""
        )
        of = f" by {row.features}" if row.features else ""
        return f"  {row.system}: {figures}{of} ({row.count} sounds, {row.seconds:.0f} s" + (
            f"; {anchor.system}: {beside})" if anchor else ")"
        )

    def _anchor(self, row: Score) -> Score | None:
        alike = [one for one in self.rows if (one.metric, one.features) == (row.metric, row.features)]
        return next((one for name in BESIDE for one in alike if one.system == name), None)

    def _show(self, row: Score) -> None:
        images = round((row.kimg or 0.0) * 1000)
        of = f" {row.features}" if row.features else ""
        self.reporter.scalars({f"Scores/{name}{of}": value.value for name, value in row.values.items()}, images)
