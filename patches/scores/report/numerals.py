# SPDX-License-Identifier: Apache-2.0
"""Figures for the eye: their numbers, their unit, and which way they get better (patches/scores/figures.py)."""

import math

from patches.scores.figures import Better, figure
from patches.scores.html import escape
from stylegan3.metrics.estimate import Estimate

DASH = "–"
ARROWS: dict[Better, str] = {"lower": "↓", "higher": "↑"}


def named(name: str) -> str:
    """Write a figure's name as HTML: what it is as a tip, its unit, and an arrow to the better if there is one."""
    known = figure(name)
    unit = ", %" if known.share else ""
    text = f'<span title="{escape(known.what)}">{escape(name.replace("_", " "))}{unit}</span>'
    if known.better is None:
        return text
    said = f"{known.better} is better"
    return f'{text} <span class="better" role="img" aria-label="{said}" title="{said}">{ARROWS[known.better]}</span>'


def in_unit(name: str, estimate: Estimate) -> Estimate:
    """Bring a figure into the unit that `named` tells: shares in percent."""
    if not figure(name).share:
        return estimate
    return Estimate(100 * estimate.value, 100 * estimate.low, 100 * estimate.high)


def number(value: float) -> str:
    """Write a number in three digits, with a true minus; what isn't finite is a dash."""
    if not math.isfinite(value):
        return DASH
    size = abs(value)
    text = f"{size:,.0f}" if size >= 1000 else f"{size:.2e}" if 0 < size < 1e-4 else f"{size:.3g}"
    return f"−{text}" if value < 0 else text


def written(estimate: Estimate) -> tuple[str, str]:
    """Write a figure and its 95 % interval with as many decimals as the interval's width gives sense to (two digits).

    Returns:
        as in ("0.42", "0.31 to 0.55"); the interval is empty where there is none.
    """
    bounds = (estimate.value, estimate.low, estimate.high)
    if not all(map(math.isfinite, bounds)):
        return number(estimate.value), ""
    width = estimate.high - estimate.low
    if width <= 0:
        return number(estimate.value), f"{number(estimate.low)} to {number(estimate.high)}"
    decimals = min(max(1 - math.floor(math.log10(width)), 0), 8)
    value, low, high = (_minus(f"{one:,.{decimals}f}") for one in bounds)
    return value, f"{low} to {high}"


def _minus(text: str) -> str:
    """Give a number its true minus, and none to a zero."""
    return text.replace("-", "−", 1) if text.strip("-0.,") else text.lstrip("-")
