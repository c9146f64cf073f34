# SPDX-License-Identifier: Apache-2.0
"""Markdown tables, and the ratio that all of them show."""

from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return a table's lines."""
    names = list(headings)
    return [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *(f"| {' | '.join(row)} |" for row in rows)]


def yardstick(rows: Iterable[Row], row: Row, of: tuple[str, ...], figure: str) -> float | None:
    """Return the reference's time for what a row measured: the better of its own precision's and float32's.

    Args:
        of: what must be equal for two rows to have measured the same.
    """
    same = [r for r in rows if r["way"] == "reference" and all(r[name] == row[name] for name in of)]
    found = [r[figure] for r in same if r["kind"] in ("float32", row["kind"]) and r.get(figure) is not None]
    return min(found, default=None)


def ratio(rows: Iterable[Row], row: Row, of: tuple[str, ...], figure: str) -> float | None:
    """Return how many times as fast as the yardstick a row is."""
    right, ours = yardstick(rows, row, of, figure), row.get(figure)
    return None if right is None or ours is None else right / ours


def number(value: float | None, unit: str = "") -> str:
    """Return a figure in three digits; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.{max(0, 2 - _digits(value))}f}{unit}"


def _digits(value: float) -> int:
    return len(str(int(abs(value)))) - (abs(value) < 1)


def target(text: str, value: float | None, unit: str, met: bool | None) -> tuple[str, str, str] | None:
    """Return a row of a table of targets; None where nothing was measured."""
    return None if value is None else (text, number(value, unit), "yes" if met else "no")
