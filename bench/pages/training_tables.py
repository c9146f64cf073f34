# SPDX-License-Identifier: Apache-2.0
"""Tables of trainings: seconds for a thousand pictures, where an iteration's time goes, the targets beside them."""

from collections.abc import Iterator
from typing import Any

from bench.pages.machine import told
from bench.pages.tables import Row, number, table, target

PHASES = ("G main", "G path length", "D main", "D R1")
PARTS = (*PHASES, "augmentation", "optimiser", "EMA", "statistics", "data", "waiting for data", "exchange", "rest")
SMALL = {"stylegan2": 3.0, "stylegan3-t": 10.0}
"""How many times the yardstick's pictures a second are asked for on a CPU, at 64x64."""
ON_CARD = {("stylegan3-t", 512, 32): 30.0, ("stylegan2", 256, 16): 6.0}
"""At most so many seconds for a thousand pictures on one H200."""
WAITING = 0.02
UNRECORDED = "unrecorded_augmentation"


def _alike(rows: list[Row], row: Row, way: str) -> Row | None:
    same = ("cfg", "size", "batch")
    found = (r for r in rows if r["way"] == way and all(r[name] == row[name] for name in same))
    return next(found, None)


def _ratio(rows: list[Row], row: Row) -> float | None:
    yardstick = _alike(rows, row, "reference")
    return None if yardstick is None else yardstick["seconds"] / row["seconds"]


def _named(row: Row) -> list[str]:
    return [row["cfg"], f"{row['size']}x{row['size']}", str(row["batch"]), row["precision"], row["way"]]


def _speeds(rows: list[Row]) -> Iterator[list[str]]:
    for row in rows:
        waiting = f"{100 * row['waiting_share']:.2g} %"
        needed = number(row.get("gb")), number(row.get("operations"))
        yield [*_named(row), number(row["s_per_kimg"]), number(_ratio(rows, row), "x"), *needed, waiting]


def _said(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        if row.get("said"):
            yield from ("", f"{', '.join(_named(row))}: {'; '.join(row['said'])}.")


def _milliseconds(seconds: float | None) -> str:
    return number(None if seconds is None else 1000 * seconds)


def _parts(rows: list[Row]) -> Iterator[list[str]]:
    for row in rows:
        cells = {name: _milliseconds(row["parts"].get(name)) for name in PARTS}
        if UNRECORDED in row:
            cells["augmentation"] += f" ({_milliseconds(row[UNRECORDED])})"
        yield [*_named(row), *cells.values()]


def _augmented(rows: list[Row]) -> Iterator[str]:
    """What is said of augmentation: rows of an older program were measured without."""
    p = max((row.get("p", 0.0) for row in rows), default=0.0)
    if not p:
        yield "Without augmentation, and without ADA's statistics."
        return
    yield f"Augmented as train.py does by default: a sound's six changes, each with ADA's probability, about {p:g}."
    if any(UNRECORDED in row for row in rows):
        yield "In brackets: augmentation where no phase is replayed as a graph; a replayed phase contains its own."


def _wanted(rows: list[Row]) -> Iterator[tuple[str, str, str]]:
    for row in rows:
        named = f"{row['cfg']} {row['size']}, batch {row['batch']}, {row['precision']}"
        if row["way"] != "auto":
            continue
        if row["device"] == "cpu" and row["size"] == 64 and row["cfg"] in SMALL:
            most, value = SMALL[row["cfg"]], _ratio(rows, row)
            yield target(f"{named}: {most:g}x the yardstick", value, "x", (value or 0) >= most)
        most = ON_CARD.get((row["cfg"], row["size"], row["batch"]), 0.0)
        if row["device"] != "cpu" and most:
            yield target(f"{named}: at most {most:g} s/kimg", row["s_per_kimg"], " s/kimg", row["s_per_kimg"] <= most)
        if row["device"] != "cpu":
            share = row["waiting_share"]
            yield target(f"{named}: waiting for data under 2 %", 100 * share, " %", share < WAITING)


def training_lines(found: dict[str, Any]) -> list[str]:
    """Return the section of one device."""
    rows = found["rows"]
    about = ["configuration", "picture", "batch", "precision", "ops"]
    lines = [
        told(found["machine"]),
        "",
        "Written by `python bench/train.py --page`. Four channels; pictures are read from a mapped file. An average",
        "iteration: what comes every 4 or 16 iterations counts so often. The yardstick is `--ops=reference` in float32",
        "in the same loop and process. Operations are those that torch starts in an iteration, beside our own kernels.",
        *_augmented(rows),
        "",
        *table([*about, "s/kimg", "pictures a second", "peak GB", "operations", "waiting for data"], _speeds(rows)),
        *_said(rows),
        "",
        "Milliseconds of an average iteration; a phase's are without what stands in columns of its own.",
        "",
        *table([*about, *PARTS], _parts(rows)),
    ]
    wanted = list(_wanted(rows))
    return [*lines, "", *table(("target", "measured", "met"), wanted)] if wanted else lines
