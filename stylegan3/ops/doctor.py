# SPDX-License-Identifier: Apache-2.0
"""Test every operation in every way that this machine could compute it: python -m stylegan3.ops.doctor

A row is an operation, a device, a precision and a way (an engine of engines.MAKERS, plain PyTorch, or what is chosen
unless asked otherwise); verdicts.py says what is tested. The exit code is 1 where something that serves computes
wrongly, else 0.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import torch

from stylegan3.ops import engines
from stylegan3.ops.verdicts import Row, exact, rows_of

WIDTHS = (18, 8, 10, 15, 11, 19, 0)
HEADINGS = ("operation", "device", "precision", "way", "available", "correct", "speed-up")


def devices() -> list[torch.device]:
    """Return this machine's devices."""
    return [torch.device("cpu"), *(torch.device("cuda", i) for i in range(torch.cuda.device_count()))]


def absent() -> Iterator[Row]:
    """Yield a row for each engine of a device that isn't here."""
    if not torch.cuda.is_available():
        for name in [name for name, _ in engines.MAKERS.get("cuda", [])] or ["kernels"]:
            yield Row("all", "cuda", None, name, why=f"torch {torch.__version__} sees no GPU here")


def cells(row: Row, notes: list[str]) -> tuple[str, ...]:
    """Return a row's cells; what is too long for one goes to the notes."""
    kind = "" if row.kind is None else str(row.kind).removeprefix("torch.")
    start = (row.operation, row.device, kind, row.way)
    if row.why is not None:
        return (*start, f"no {_note(row.why, notes)}", "", "")
    if row.trouble is not None:
        return (*start, "yes", f"WRONG {_note(row.trouble, notes)}", "")
    return (*start, "yes", f"yes ({row.error:.0e})", f"{row.speed_up:.1f}x")


def _note(text: str, notes: list[str]) -> str:
    if text not in notes:
        notes.append(text)
    return f"[{notes.index(text) + 1}]"


def line(found: tuple[str, ...]) -> str:
    """Return cells as a line of the table."""
    return "  ".join(cell.ljust(width) for cell, width in zip(found, WIDTHS, strict=True)).rstrip()


def report(tested: list[torch.device]) -> Iterator[tuple[str, bool]]:
    """Yield the report line by line, each with whether it tells of something that is wrong."""
    notes: list[str] = []
    yield line(HEADINGS), False
    with exact():
        for row in (row for device in tested for row in rows_of(device)):
            yield line(cells(row, notes)), row.trouble is not None
    for row in absent():
        yield line(cells(row, notes)), False
    for number, note in enumerate(notes, 1):
        yield f"\n[{number}] {note}", False
    yield (
        "\ncorrect: the largest error of value, gradients and their gradients against the definition in float64",
        False,
    )
    yield "speed-up: of the value, over the definition in float32", False
    for device in tested:
        yield f"--ops=auto on {device}: {chosen(device)}", False


def chosen(device: torch.device) -> str:
    """Return in a line what serves a device."""
    if engines.choice(device).kernels is None:
        return "plain PyTorch, as no kernels serve (see above)"
    return engines.told(device, "auto")


def main() -> int:
    """Print the report; return the exit code."""
    log, wrong = logging.getLogger(engines.__name__), False
    before = log.level
    log.setLevel(logging.ERROR)  # what it would warn of stands in the table
    try:
        for text, bad in report(devices()):
            print(text, flush=True)
            wrong = wrong or bad
    finally:
        log.setLevel(before)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
