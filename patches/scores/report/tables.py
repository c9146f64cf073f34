# SPDX-License-Identifier: Apache-2.0
"""Tables of scores as HTML: networks first, then anchors, each figure with its interval and its place in a strip.

Systems go down and figures across; where there are many figures, figures go down and systems across. A strip spans
all systems' values of its figure, so that the eye sees where a network lies between the anchors.
"""

import math
from collections.abc import Sequence

from patches.scores.groups import Group
from patches.scores.html import escape
from patches.scores.report.axis import Axis, spanning
from patches.scores.report.numerals import DASH, in_unit, named, number, written
from patches.scores.rows import Score
from stylegan3.metrics.estimate import Estimate

STRIP, PAD = 96.0, 5.0  # a strip's width, in CSS pixels, and what is left free at its ends
MOST_ACROSS = 6  # figures
Line = list[str]
"""The cells of one figure, or of one thing around: its name, then each system's."""


def score_table(group: Group) -> str:
    """Write a group's table."""
    rows = (*group.networks, *group.anchors)
    lines = [_systems(rows), *(_figure_line(name, rows) for name in group.figures), *_around(rows)]
    turned = len(group.figures) > MOST_ACROSS
    cells = lines if turned else [list(cell) for cell in zip(*lines, strict=True)]
    head, *body = (f"<tr>{''.join(line)}</tr>" for line in cells)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Scores: {escape(group.name)}">'
        f'<table class="scores{" turned" if turned else ""}"><caption>{escape(group.name)}</caption>'
        f"<thead>{head}</thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _systems(rows: Sequence[Score]) -> Line:
    return ["<th>system</th>", *map(_system, rows)]


def _system(row: Score) -> str:
    kind = "" if row.kind == "network" else '<small class="tag">anchor</small>'
    notes = "".join(f"<small>{escape(note)}</small>" for note in row.notes)
    return f'<th class="{row.kind}">{escape(row.system)}{kind}{notes}</th>'


def _figure_line(name: str, rows: Sequence[Score]) -> Line:
    found = [in_unit(name, row.values.get(name, Estimate(math.nan))) for row in rows]
    bounds = [one for estimate in found for one in (estimate.value, estimate.low, estimate.high)]
    axis = spanning(bounds, PAD, STRIP - PAD, log=False, room=0.0)
    cells = (_figure(row, estimate, axis) for row, estimate in zip(rows, found, strict=True))
    return [f"<th>{named(name)}</th>", *cells]


def _around(rows: Sequence[Score]) -> list[Line]:
    """Write what every figure of a system rests on."""
    texts = {
        "sounds": [f"{row.count:,}" for row in rows],
        "against": [f"{row.reference:,}" if row.reference else "" for row in rows],
        "seconds": [number(row.seconds) for row in rows],
        "seeds": [row.seeds for row in rows],
        "features": [row.features for row in rows],
    }
    return [[f"<th>{name}</th>", *map(_fact, rows, line)] for name, line in texts.items()]


def _fact(row: Score, text: str) -> str:
    return f'<td class="around {row.kind}">{escape(text or DASH)}</td>'


def _figure(row: Score, estimate: Estimate, axis: Axis) -> str:
    value, between = written(estimate)
    width = f'<span class="interval">{between}</span>' if between else ""
    return f'<td class="{row.kind}"><b>{value}</b>{width}{_strip(estimate, axis)}</td>'


def _strip(estimate: Estimate, axis: Axis) -> str:
    """Draw a figure's place among the other systems'; the text says the same, so it is hidden from readers."""
    if not math.isfinite(estimate.value):
        return ""
    at, low, high = (f"{axis.place(one):.1f}" for one in (estimate.value, estimate.low, estimate.high))
    bar = f'<line class="bar" x1="{low}" x2="{high}" y1="6" y2="6"/>' if written(estimate)[1] else ""
    return (
        f'<svg class="strip" viewBox="0 0 {STRIP:g} 12" aria-hidden="true">'
        f'<line class="rule" x1="0" x2="{STRIP:g}" y1="6" y2="6"/>{bar}<circle cx="{at}" cy="6" r="3.5"/></svg>'
    )
