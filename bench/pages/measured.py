# SPDX-License-Identifier: Apache-2.0
"""What pages are made of: measured numbers in a work folder, and those kept in the repository from former machines.

A work folder is lost with its machine, so that what a page shows is kept beside it: docs/views/measured/ holds each
run's curve as bench/learning.py writes it (VIEW_..._CFG_sSEED[_gammaG].jsonl), views.json and anchors.json;
docs/inputs/inputs.jsonl holds the cells of bench/inputs.py. What a work folder has of the same name goes first.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spect.files import write_text

DOCS = Path(__file__).resolve().parents[2] / "docs"
VIEWS, INPUTS = DOCS / "views" / "measured", DOCS / "inputs"
RUNS = "*_s[0-9]*.jsonl"

Row = dict[str, Any]


def lines_of(path: Path) -> list[Row]:
    """Read a file of one JSON object a line; none where there is no file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def write_lines(path: Path, rows: list[Row]) -> None:
    """Write one JSON object a line."""
    write_text(path, "".join(f"{json.dumps(row)}\n" for row in rows))


def curves(work: Path, kept: Path) -> dict[str, list[Row]]:
    """Give the curve of each run, by its name: the work folder's, and where it has none the one that was kept."""
    paths = {path.stem: path for folder in (kept, work) for path in folder.glob(RUNS)}
    return {name: lines_of(path) for name, path in sorted(paths.items())}


def numbers(name: str, work: Path, kept: Path) -> Row:
    """Give the entries of a .json, those of the work folder over those that were kept."""
    found: Row = {}
    for path in (kept / name, work / name):
        found |= json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def write_numbers(path: Path, found: Mapping[str, Any]) -> None:
    """Write entries as a .json, one a line."""
    body = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
    write_text(path, f"{{\n{body}\n}}\n")


def keep_curves(work: Path, kept: Path) -> None:
    """Keep the work folder's curves."""
    for path in work.glob(RUNS):
        write_lines(kept / path.name, lines_of(path))
