# SPDX-License-Identifier: Apache-2.0
"""Scores on disk: metric-NAME.jsonl, a line a row; what a kill left of the last line is passed over."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from patches.scores.rows import Score
from spect.files import write_text

PREFIX = "metric-"


def append_rows(folder: Path, rows: Iterable[Score]) -> None:
    """Add rows to the files of their metrics."""
    for row in rows:
        with open(folder / f"{PREFIX}{row.metric}.jsonl", "a", encoding="utf-8") as file:
            file.write(_line(row))


def write_rows(folder: Path, rows: Sequence[Score]) -> list[Path]:
    """Write the files of all metrics anew, each whole or not at all; return them."""
    paths = []
    for metric in dict.fromkeys(row.metric for row in rows):
        paths.append(folder / f"{PREFIX}{metric}.jsonl")
        write_text(paths[-1], "".join(_line(row) for row in rows if row.metric == metric))
    return paths


def read_rows(folder: Path) -> list[Score]:
    """Read the rows of a folder."""
    return [row for path in sorted(folder.glob(f"{PREFIX}*.jsonl")) for row in read_file(path)]


def read_file(path: Path) -> list[Score]:
    """Read the rows of one file."""
    found = [_row(line) for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return [row for row in found if row is not None]


def cut_rows(folder: Path, images: int) -> None:
    """Drop the rows of networks that have seen more pictures than `images`."""
    for path in folder.glob(f"{PREFIX}*.jsonl"):
        kept = [row for row in read_file(path) if row.kimg is None or round(row.kimg * 1000) <= images]
        write_text(path, "".join(map(_line, kept)))


def _line(row: Score) -> str:
    return json.dumps(row.to_dict(), sort_keys=True) + "\n"


def _row(line: str) -> Score | None:
    try:
        return Score.from_dict(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
