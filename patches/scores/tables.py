# SPDX-License-Identifier: Apache-2.0
"""Rows of scores laid out for a terminal: one table a metric and its features, the anchors always in it."""

import math
from collections.abc import Iterable, Sequence

from patches.scores.figures import FIGURES, figure
from patches.scores.groups import grouped
from patches.scores.rows import Score
from stylegan3.metrics.estimate import Estimate

MOST_COLUMNS = 5  # figures; more stand below each other without intervals, the systems side by side


def told(name: str, value: Estimate) -> str:
    """Write a figure with its interval; a dash where there is none."""
    if not math.isfinite(value.value):
        return "-"
    shown = [_number(name, one) for one in (value.value, value.low, value.high)]
    unit = " %" if figure(name).share else ""
    bounds = f" ({shown[1]} to {shown[2]})" if math.isfinite(value.low) and math.isfinite(value.high) else ""
    return f"{shown[0]}{bounds}{unit}"


def _number(name: str, value: float) -> str:
    return f"{100 * value:.1f}" if figure(name).share else f"{value:.4g}"


def tables(rows: Sequence[Score]) -> list[str]:
    """Lay all rows out, as lines: of each metric and features the anchors, then the networks."""
    groups, bare = grouped(rows)
    lines: list[str] = []
    for group in groups:
        of = (*group.anchors, *group.networks)
        lines += ["", f"{group.metric}{f', by {group.features}' if group.features else ''}", *_table(of)]
        lines += [f"  {note}" for note in dict.fromkeys(note for row in of for note in row.notes)]
    return [*lines, *([""] if bare else []), *(f"{name}: has no anchor and isn't shown" for name in bare)]


def _table(rows: Sequence[Score]) -> list[str]:
    names = ordered({name for row in rows for name in row.values})
    upright = len(names) <= MOST_COLUMNS
    marks = {"lower": " v", "higher": " ^", None: ""}
    columns = [["", *(row.system for row in rows)]]
    columns += [[name + marks[figure(name).better], *(_cell(row, name, upright) for row in rows)] for name in names]
    columns += [
        ["sounds", *(str(row.count) for row in rows)],
        ["against", *(str(row.reference or "-") for row in rows)],
        ["seconds", *(f"{row.seconds:g}" for row in rows)],
        ["seeds", *(row.seeds or "-" for row in rows)],
    ]
    lines = list(zip(*columns, strict=True)) if upright else columns
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return ["  " + "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]


def _cell(row: Score, name: str, interval: bool) -> str:
    value = row.values.get(name, Estimate(math.nan))
    return told(name, value if interval else Estimate(value.value))


def ordered(names: Iterable[str]) -> list[str]:
    """Bring figures into the order of patches/scores/figures.py, others behind them by name."""
    places = {name: place for place, name in enumerate(FIGURES)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))
