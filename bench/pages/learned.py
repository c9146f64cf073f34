# SPDX-License-Identifier: Apache-2.0
"""Tables of learning curves: what each run came to, and what each view comes to over its seeds.

A curve is a list of measurements, the first of the untrained network: seconds, kimg, shape, and a kernel distance a
measure (x100, less is better), which is missing where the sounds weren't finite. What a run came to is the mean of its
last three.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from bench.pages.measured import Row

Curves = Mapping[str, list[Row]]
LAST = 3
UNMEASURED = "not measured"


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seeds alone, after equal times.

    Args:
        view: with its parameters, scaling and gamma where they are its own.
        minutes: of CPU time, rounded.
    """

    view: str
    cfg: str
    minutes: int

    @classmethod
    def of(cls, name: str, rows: list[Row]) -> "Group":
        """Read a run's name, VIEW_..._CFG_sSEED[_gammaG]."""
        parts = re.fullmatch(r"(?P<view>.+)_(?P<cfg>[^_]+)_s\d+(?P<more>.*)", name)
        if parts is None:
            raise ValueError(f"{name}: no run of bench/learning.py is named so")
        view = (parts["view"] + parts["more"].replace("gamma", "gamma ")).replace("_", ", ")
        return cls(view, parts["cfg"], round(rows[-1]["seconds"] / 60))


def header(*columns: str) -> list[str]:
    """Give the head of a markdown table."""
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def came_to(rows: list[Row], measure: str) -> float | None:
    """Return the mean of a curve's last three measurements; None: not measured."""
    values = [row[measure] for row in rows[-LAST:] if measure in row]
    return mean(values) if values else None


def late(rows: list[Row], measure: str) -> str:
    """Tell what a curve came to, the range of its last three measurements, and what the untrained network scored."""
    value = came_to(rows, measure)
    if value is None:
        return UNMEASURED
    values = [row[measure] for row in rows[-LAST:] if measure in row]
    untrained = f"; untrained {rows[0][measure]:.1f}" if measure in rows[0] else ""
    return f"{value:.2f} ({min(values):.1f} to {max(values):.1f}{untrained})"


def table(curves: Curves, anchors: Mapping[str, Row], measures: Sequence[str]) -> list[str]:
    """Lay the ends of all curves out, the anchors first."""
    lines = header("run", "C x F x T", "CPU min", "kimg", *measures)
    for name, row in anchors.items():
        lines.append(f"| {name} | | | | {' | '.join(f'{row[measure]:.2f}' for measure in measures)} |")
    for name, rows in sorted(curves.items()):
        shape = "x".join(map(str, rows[-1]["shape"]))
        mark = " *" if any(row.get("recovered") for row in rows) else ""
        cells = (name + mark, shape, f"{rows[-1]['seconds'] / 60:.1f}", f"{rows[-1]['kimg']:.1f}")
        lines.append(f"| {' | '.join([*cells, *(late(rows, measure) for measure in measures)])} |")
    return lines


def summary(curves: Curves, measures: Sequence[str], auto: str) -> list[str]:
    """Lay out what each view comes to over its seeds; the best of equal networks and times is in bold.

    Args:
        auto: the view that --view=auto takes first.
    """
    groups: dict[Group, list[list[Row]]] = {}
    for name, rows in curves.items():
        groups.setdefault(Group.of(name, rows), []).append(rows)
    found = {group: [over_seeds(runs, measure) for measure in measures] for group, runs in groups.items()}
    lines = header("view", "network", "CPU min", "seeds", *measures)
    for group in sorted(groups, key=lambda one: (one.cfg, -one.minutes, _order(found[one][0]))):
        rivals = [values for other, values in found.items() if (other.cfg, other.minutes) == (group.cfg, group.minutes)]
        bests = [min(column, key=_order) for column in zip(*rivals, strict=True)]
        shown = [_shown(value, best, len(rivals)) for value, best in zip(found[group], bests, strict=True)]
        view = f"{group.view} (`--view=auto`)" if group.view.split(",")[0] == auto else group.view
        lines.append(f"| {' | '.join([view, group.cfg, str(group.minutes), str(len(groups[group])), *shown])} |")
    return lines


def over_seeds(runs: Sequence[list[Row]], measure: str) -> float | None:
    """Return the mean over runs of what they came to; None where one wasn't measured."""
    values = [came_to(rows, measure) for rows in runs]
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None


def _order(value: float | None) -> float:
    return float("inf") if value is None else value


def _shown(value: float | None, best: float | None, rivals: int) -> str:
    if value is None:
        return UNMEASURED
    return f"**{value:.2f}**" if value == best and rivals > 1 else f"{value:.2f}"
