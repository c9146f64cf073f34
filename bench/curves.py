# SPDX-License-Identifier: Apache-2.0
"""Curves as a small SVG: no plotting library for a few lines."""

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 60, 190, 34, 44
COLOURS = ("#4e79a7", "#e15759", "#59a14f", "#f28e2b", "#b07aa1", "#9c755f", "#17becf", "#bab0ac", "#d4a300", "#333333")

Points = Sequence[tuple[float, float]]


def svg(curves: Mapping[str, Points], title: str, x_label: str, y_label: str, *, least: float = 0.1) -> str:
    """Draw curves over a linear x axis and a logarithmic y axis; values below `least` are drawn there."""
    xs = [x for points in curves.values() for x, _ in points]
    ys = [max(least, y) for points in curves.values() for _, y in points]
    low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys) * 1.0001))
    last = max(xs) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(max(least, y)) - low) / max(1, high - low)
        return LEFT + x / last * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" ',
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="15">{escape(title)}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 8}">{escape(x_label)}</text>',
        f'<text x="12" y="{HEIGHT // 2}" transform="rotate(-90 12 {HEIGHT // 2})">{escape(y_label)}</text>',
    ]
    ticks = [m * 10.0**e for e in range(low, high) for m in (1, 2, 5)] + [10.0**high]
    for value in ticks:
        x, y = place(0, value)
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for value in [last * i / 5 for i in range(6)]:
        x, y = place(value, 10.0**low)
        parts.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{value:.3g}</text>')
    for index, (name, points) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        dash = ' stroke-dasharray="5 3"' if index >= len(COLOURS) else ""
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        at = TOP + 16 * index + 6
        parts.append(
            f'<line x1="{WIDTH - RIGHT + 8}" y1="{at}" x2="{WIDTH - RIGHT + 26}" y2="{at}" stroke="{colour}"{dash}/>'
        )
        parts.append(f'<text x="{WIDTH - RIGHT + 30}" y="{at + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
