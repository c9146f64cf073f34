# SPDX-License-Identifier: Apache-2.0
"""Tables of scores as HTML: networks above, anchors below, each figure with its interval and its place in a strip.

A strip spans what its column holds, so that the eye sees where a network lies between the anchors.
"""

import math
from collections.abc import Sequence

from patches.scores.html import escape
from patches.scores.report.axis import Axis, spanning
from patches.scores.report.groups import Group
from patches.scores.report.numerals import DASH, in_unit, named, number, written
from patches.scores.rows import Score
from stylegan3.metrics.estimate import Estimate

STRIP, PAD = 96.0, 5.0  # a strip's width, in CSS pixels, and what is left free at its ends
AROUND = ("sounds", "against", "seconds", "seeds", "features")


def score_table(group: Group) -> str:
    """Write a group's table."""
    rows, figures = (*group.networks, *group.anchors), group.figures
    axes = {name: _axis([in_unit(name, row.values[name]) for row in rows if name in row.values]) for name in figures}
    heads = "".join(f'<th scope="col">{named(name)}</th>' for name in figures)
    context = "".join(f'<th scope="col" class="around">{name}</th>' for name in AROUND)
    body = "".join(_row(row, figures, axes) for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Scores: {escape(group.name)}">'
        f'<table class="scores"><caption>{escape(group.name)}</caption>'
        f'<thead><tr><th scope="col">system</th>{heads}{context}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _row(row: Score, figures: Sequence[str], axes: dict[str, Axis]) -> str:
    notes = "".join(f"<small>{escape(note)}</small>" for note in row.notes)
    kind = "" if row.kind == "network" else '<small class="tag">anchor</small>'
    cells = "".join(_figure(in_unit(name, row.values.get(name, Estimate(math.nan))), axes[name]) for name in figures)
    around = (
        f"{row.count:,}",
        f"{row.reference:,}" if row.reference else DASH,
        number(row.seconds),
        row.seeds or DASH,
        row.features or DASH,
    )
    context = "".join(f'<td class="around">{escape(text)}</td>' for text in around)
    return f'<tr class="{row.kind}"><th scope="row">{escape(row.system)}{kind}{notes}</th>{cells}{context}</tr>'


def _figure(estimate: Estimate, axis: Axis) -> str:
    value, between = written(estimate)
    width = f'<span class="interval">{between}</span>' if between else ""
    return f"<td><b>{value}</b>{width}{_strip(estimate, axis)}</td>"


def _strip(estimate: Estimate, axis: Axis) -> str:
    """Draw a figure's place among those of its column; the text says the same, so it is hidden from readers."""
    if not math.isfinite(estimate.value):
        return ""
    at, low, high = (f"{axis.place(one):.1f}" for one in (estimate.value, estimate.low, estimate.high))
    bar = f'<line class="bar" x1="{low}" x2="{high}" y1="6" y2="6"/>' if written(estimate)[1] else ""
    return (
        f'<svg class="strip" viewBox="0 0 {STRIP:g} 12" aria-hidden="true">'
        f'<line class="rule" x1="0" x2="{STRIP:g}" y1="6" y2="6"/>{bar}<circle cx="{at}" cy="6" r="3.5"/></svg>'
    )


def _axis(estimates: Sequence[Estimate]) -> Axis:
    bounds = [one for estimate in estimates for one in (estimate.value, estimate.low, estimate.high)]
    return spanning(bounds, PAD, STRIP - PAD, log=False, room=0.0)
