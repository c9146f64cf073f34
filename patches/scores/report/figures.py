# SPDX-License-Identifier: Apache-2.0
"""Figures for the eye: how a number is written, and which way it gets better."""

import math
from typing import Literal

from stylegan3.metrics.estimate import Estimate

Better = Literal["lower", "higher"]

DASH = "–"
ARROWS: dict[Better, str] = {"lower": "↓", "higher": "↑"}

# Only figures that have a better direction whatever the sounds are. Precision is a share of outputs, not of music.
DIRECTIONS: dict[str, Better] = {
    "kad": "lower",
    "frechet": "lower",
    "fid": "lower",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
    "ndb": "lower",
    "accuracy": "higher",
    "inception": "higher",
    "rmse": "lower",
}


def direction(name: str) -> Better | None:
    """Tell which way a figure gets better; None: unknown, or neither."""
    return DIRECTIONS.get(name.lower())


def number(value: float) -> str:
    """Write a number in three digits, with a true minus; what isn't finite is a dash."""
    if not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    size = abs(value)
    text = f"{value:,.0f}" if size >= 1000 else f"{value:.2e}" if size < 1e-4 else f"{value:.3g}"
    return _minus(text) if size >= 1e-4 else text.replace("-", "−", 1) if value < 0 else text


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
