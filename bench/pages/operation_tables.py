# SPDX-License-Identifier: Apache-2.0
"""Tables of operations: milliseconds, ratios and, on a card, shares of what it could do."""

from collections.abc import Iterable
from typing import Any

from bench.pages.machine import GB, TERA, peaks, told
from bench.pages.tables import Row, number, ratio, table, target

SAME = ("operation", "shape")
PASSES = ("forward", "both")
LRELU = "filtered_lrelu"
CEILINGS = (
    "GB/s counts the bytes that an ideal pass moves (inputs, results, 2 bits a raised sample for the gradient),",
    "TFLOP/s the arithmetic that the result needs; the ceiling is the slower of the card's two peaks.",
)
ISSUE = "filtered_lrelu, 12 taps"  # the case that the target names


def share(row: Row, figure: str, gpu: str) -> float | None:
    """Return how much of the slower of a card's two ceilings a pass reaches."""
    best, seconds = peaks(gpu, row["kind"]), row.get(f"{figure}_ms")
    if best is None or seconds is None:
        return None
    needed = max(row[f"{figure}_bytes"] / best[0], row[f"{figure}_flops"] / best[1])
    return 1000 * needed / float(seconds)


def _achieved(row: Row, gpu: str) -> list[str]:
    """Return what a forward pass reaches: GB/s and TFLOP/s with their shares of the card's, and both passes' shares."""
    best, ms = peaks(gpu, row["kind"]), row.get("forward_ms")
    if ms is None:
        return ["-"] * 4
    rates = (row["forward_bytes"] / ms * 1000, row["forward_flops"] / ms * 1000)
    shares = ["", ""] if best is None else [f" ({rate / top:.0%})" for rate, top in zip(rates, best, strict=True)]
    roof = [share(row, figure, gpu) for figure in PASSES]
    return [
        number(rates[0] / GB) + shares[0],
        number(rates[1] / TERA) + shares[1],
        *("-" if s is None else f"{s:.0%}" for s in roof),
    ]


def _cells(rows: list[Row], row: Row, gpu: str | None) -> list[str]:
    cells = [row["operation"], row["shape"], row["kind"], row["way"]]
    if "trouble" in row:
        return [*cells, row["trouble"], *[""] * (7 if gpu else 3)]
    for figure in PASSES:
        name = f"{figure}_ms"
        cells += [number(row.get(name)), number(ratio(rows, row, SAME, name), "x")]
    return [*cells, *(_achieved(row, gpu) if gpu else [])]


def targets(rows: list[Row], gpu: str | None) -> Iterable[tuple[str, str, str]]:
    """Yield what the issue asks for beside what was measured."""
    for row in rows:
        if row["way"] == "auto" and row["operation"] == ISSUE and row["kind"] == "float32" and gpu is None:
            value = ratio(rows, row, SAME, "forward_ms")
            found = target(f"{ISSUE} {row['shape']}: 15x the yardstick", value, "x", (value or 0) >= 15)
            yield from [found] if found else []
    if gpu:
        yield from _roofs(rows, gpu)


def _roofs(rows: list[Row], gpu: str) -> Iterable[tuple[str, str, str]]:
    """Yield the least and the largest share of the ceilings that the fused filtered_lrelu reaches."""
    for kind in sorted({row["kind"] for row in rows}):
        named = [row for row in rows if row["operation"].startswith(LRELU) and row["kind"] == kind]
        fused = [row for row in named if row["way"] == "auto"]
        shares = [s for s in (share(row, "forward", gpu) for row in fused) if s is not None]
        if shares:
            low, high = min(shares), max(shares)
            text = f"{LRELU}, {kind}: 60 % of the slower ceiling (least and largest of all layers)"
            yield text, f"{low:.0%} to {high:.0%}", "yes" if low >= 0.6 else "no"


def operation_lines(found: dict[str, Any]) -> list[str]:
    """Return the section of one device."""
    rows, gpu = found["rows"], found["machine"].get("gpu")
    names = ["operation", "input", "precision", "ops", "forward ms", "ratio", "forward+backward ms", "ratio"]
    if gpu:
        names += ["GB/s (of the card's)", "TFLOP/s (of the card's)", "of the ceiling", "of the ceiling, both passes"]
    lines = [told(found["machine"]), "", *table(names, (_cells(rows, row, gpu) for row in rows))]
    if gpu:
        lines += ["", *CEILINGS]
    wanted = list(targets(rows, gpu))
    return [*lines, "", *table(("target", "measured", "met"), wanted)] if wanted else lines
