# SPDX-License-Identifier: Apache-2.0
"""skipped.csv beside the archive: which files didn't go in, and why. One list serves all archives of a folder."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from spect.files import whole_file

NAME = "skipped.csv"
COLUMNS = ("file", "reason", "archive")


def write_skipped(dest: Path, bad: Sequence[tuple[str, str]]) -> Path | None:
    """Write the list of one archive; rows of other archives stay, and an empty list is no file.

    Returns:
        Its path, or None where there is nothing to tell of this archive.
    """
    path = dest.with_name(NAME)
    others = [row for row in _rows(path) if row[2] != dest.name]
    rows = others + [[name, reason, dest.name] for name, reason in bad]
    if not rows:
        if path.exists() and _is_ours(path):
            path.unlink()
        return None
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *sorted(rows, key=lambda row: (row[2], row[0]))])
    with whole_file(path) as file:
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))
    return path if bad else None


def _is_ours(path: Path) -> bool:
    return path.read_text("utf-8", "replace").partition("\n")[0].strip() == ",".join(COLUMNS)


def _rows(path: Path) -> list[list[str]]:
    if not path.is_file() or not _is_ours(path):
        return []
    lines = path.read_text("utf-8", "replace").splitlines()
    return [row for row in list(csv.reader(lines))[1:] if len(row) == len(COLUMNS)]
