# SPDX-License-Identifier: Apache-2.0
"""Plots as inline SVG, in the page's colours: curves with their intervals, and overlaid histograms.

Colours are the classes c0 to c7 of the page's style, so that plots are readable on dark and on light paper; places are
in units of the viewBox, y downwards.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from patches.scores.report.axis import Axis, is_wide, spanning
from patches.scores.report.numerals import number
from stylegan3.metrics.estimate import Estimate

COLOURS = 8
WIDTH, HEIGHT = 400.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 8.0, 10.0, 38.0
FAR = 2.0  # levels further from the curve than so many of its extents are told beside the plot, not drawn

Curve = Sequence[tuple[float, Estimate]]


def curve(points: Curve, title: str, x_label: str, levels: Mapping[str, Estimate]) -> tuple[str, list[str]]:
    """Draw a figure over x with the band of its intervals, and other figures as dashed levels.

    Points whose value isn't finite are left out, and the line is broken there.

    Args:
        points: in the order of x.
        levels: figures to compare with; the first has colour 1.

    Returns:
        the SVG, and the levels that are too far away to be drawn.
    """
    y, far = _height_axis(points, levels)
    x = spanning((at for at, _ in points), LEFT, WIDTH - RIGHT, log=False, room=0.02)
    parts = [_axes(x, y, x_label)]
    for index, (name, level) in enumerate(levels.items()):
        if name not in far and math.isfinite(level.value):
            at = y.place(level.value)
            parts.append(f'<line class="level {colour(index + 1)}" x1="{LEFT}" x2="{WIDTH - RIGHT}" {_ys(at, at)}/>')
    parts += [_run(run, x, y) for run in _runs(points)]
    for at, figure in points:
        if math.isfinite(figure.value):
            tip = escape(f"{x_label} {number(at)}: {number(figure.value)}")
            centre = f'cx="{x.place(at):.2f}" cy="{y.place(figure.value):.2f}"'
            parts.append(f'<circle class="dot {colour(0)}" {centre} r="3"><title>{tip}</title></circle>')
    return _svg(title, parts), far


def histograms(groups: Mapping[str, Sequence[float]], title: str, x_label: str, bins: int = 32) -> str:
    """Draw histograms over one another, each in shares of its own sounds, over the same bins.

    What isn't finite is left out.
    """
    finite = {name: np.asarray(values)[np.isfinite(values)] for name, values in groups.items()}
    x = spanning(np.concatenate(list(finite.values())).tolist(), LEFT, WIDTH - RIGHT, log=False, room=0.02)
    edges = np.linspace(x.low, x.high, bins + 1)
    shares = {name: np.histogram(values, edges)[0] / max(len(values), 1) for name, values in finite.items()}
    top = max(float(share.max()) for share in shares.values()) or 1.0
    y = Axis(0.0, top * 1.05, HEIGHT - BOTTOM, TOP)
    parts = [_axes(x, y, x_label, percent=True)]
    for index, share in enumerate(shares.values()):
        corners = [(x.place(edges[0]), y.start)]
        for left, right, size in zip(edges[:-1], edges[1:], share, strict=True):
            corners += [(x.place(left), y.place(size)), (x.place(right), y.place(size))]
        corners.append((x.place(edges[-1]), y.start))
        parts.append(f'<polygon class="bars {colour(index)}" points="{_points(corners)}"/>')
    return _svg(title, parts)


def colour(index: int) -> str:
    """Name the class of a colour."""
    return f"c{index % COLOURS}"


def _height_axis(points: Curve, levels: Mapping[str, Estimate]) -> tuple[Axis, list[str]]:
    """Lay the axis over the curve, its intervals and those levels that are near it; name the others."""
    own = [one for _, figure in points for one in (figure.value, figure.low, figure.high) if math.isfinite(one)]
    low, high = (min(own), max(own)) if own else (0.0, 1.0)
    reach = FAR * (high - low or abs(high) or 1.0)
    finite = {name: level.value for name, level in levels.items() if math.isfinite(level.value)}
    everything = [*own, *finite.values()]
    if everything and is_wide(everything):  # a logarithmic axis has room for all
        return spanning(everything, HEIGHT - BOTTOM, TOP), []
    far = [name for name, value in finite.items() if not low - reach <= value <= high + reach]
    near = [value for name, value in finite.items() if name not in far]
    return spanning([*own, *near], HEIGHT - BOTTOM, TOP), far


def _runs(points: Curve) -> list[list[tuple[float, Estimate]]]:
    """Cut a curve where a value is missing."""
    runs: list[list[tuple[float, Estimate]]] = [[]]
    for point in points:
        if math.isfinite(point[1].value):
            runs[-1].append(point)
        else:
            runs.append([])
    return [run for run in runs if run]


def _run(run: Curve, x: Axis, y: Axis) -> str:
    line = [(x.place(at), y.place(figure.value)) for at, figure in run]
    drawn = f'<polyline class="line {colour(0)}" points="{_points(line)}"/>'
    known = [(at, figure) for at, figure in run if math.isfinite(figure.low) and math.isfinite(figure.high)]
    if len(known) < 2:
        return drawn
    above = [(x.place(at), y.place(figure.high)) for at, figure in known]
    below = [(x.place(at), y.place(figure.low)) for at, figure in reversed(known)]
    return f'<polygon class="band {colour(0)}" points="{_points(above + below)}"/>' + drawn


def _axes(x: Axis, y: Axis, x_label: str, *, percent: bool = False) -> str:
    parts = []
    for value in y.ticks():
        at, text = y.place(value), f"{100 * value:.3g} %" if percent else number(value)
        parts.append(f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" {_ys(at, at)}/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.2f}" text-anchor="end">{text}</text>')
    for value in x.ticks():
        at = x.place(value)
        parts.append(f'<text x="{at:.2f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{number(value)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{escape(x_label)}</text>')
    return "".join(parts)


def _svg(title: str, parts: Sequence[str]) -> str:
    head = f'<svg class="plot" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(title)}">'
    return f"{head}<title>{escape(title)}</title>{''.join(parts)}</svg>"


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in places)


def _ys(one: float, other: float) -> str:
    return f'y1="{one:.2f}" y2="{other:.2f}"'
