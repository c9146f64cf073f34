# SPDX-License-Identifier: Apache-2.0
"""skipped.csv beside the archive: which files didn't go in, and why. One list serves all archives of a folder.

A skipped.csv of the user's own stays as it is: ours is then NAME.skipped.csv, by the archive's name.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from spect.files import whole_file

NAME = "skipped.csv"
COLUMNS = ["file", "reason", "archive"]


def write_skipped(dest: Path, bad: Sequence[tuple[str, str]]) -> Path | None:
    """Write the list of one archive; rows of other archives stay, and an empty list is no file.

    Returns:
        Its path, or None where there is nothing to tell of this archive.
    """
    path, former = _list_of(dest)
    own = _text(dest.name)
    rows = [row for row in former if row[2] != own]
    rows += [[_text(name), _text(reason), own] for name, reason in bad]
    if not rows:
        path.unlink(missing_ok=True)
        return None
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *sorted(rows, key=lambda row: (row[2], row[0]))])
    with whole_file(path) as file:
        file.write(text.getvalue().encode("utf-8"))
    return path if bad else None


def _list_of(dest: Path) -> tuple[Path, list[list[str]]]:
    """Find the first place where a list of ours stands, or none at all; and its rows."""
    for path in _places(dest):
        if not path.exists():
            return path, []
        rows = _rows(path)
        if rows is not None:
            return path, rows
    raise AssertionError("there are endless places")


def _places(dest: Path) -> Iterator[Path]:
    yield dest.with_name(NAME)
    yield dest.with_name(f"{dest.stem}.{NAME}")
    yield from (dest.with_name(f"{dest.stem}.{number}.{NAME}") for number in count(2))


def _rows(path: Path) -> list[list[str]] | None:
    """Read a list of ours without its head; None where the file is none."""
    if not path.is_file():
        return None
    try:
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))
    except (csv.Error, UnicodeDecodeError, OSError):
        return None
    if rows[:1] != [COLUMNS] or any(len(row) != len(COLUMNS) for row in rows):
        return None
    return rows[1:]


def _text(name: str) -> str:
    """Write what is no text, and the return that csv leaves unquoted, as an escape."""
    return name.replace("\r", "\\r").encode("utf-8", "backslashreplace").decode("utf-8")
