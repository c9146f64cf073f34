# SPDX-License-Identifier: Apache-2.0
"""Tables of labels: csv with a column of files and one or more of labels, or json in the spellings people use.

A table becomes columns: name -> file as the table names it -> text, or numbers where json holds a list.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spect.archive.sets import PRIMARY
from spect.dataset.labels_set import ALWAYS_CLASSES, number
from spect.errors import SoundError

FILE_HEADS = ("file", "filename", "path", "name")
Cell = str | tuple[float, ...]
Columns = Mapping[str, Mapping[str, Cell]]


@dataclass(frozen=True)
class Table:
    """Labels by column and row. `usual` are the columns that are taken where none are asked for."""

    rows: tuple[str, ...]
    columns: Columns
    usual: tuple[str, ...]


def read_csv(path: Path, option: str = "--labels") -> tuple[list[str] | None, list[tuple[str, list[str]]]]:
    """Read a csv as its head without the column of files (None where it has none), and (file, other cells) by row.

    Raises:
        SoundError: not UTF-8, not a csv, or fewer than two columns.
    """
    rows = [row for row in _cells(path, option) if any(cell.strip() for cell in row)]
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    file_at = next((head.index(name) for name in FILE_HEADS if name in head), None)
    named = file_at is not None and len(head) > 1 and not any(number(cell) is not None for cell in head)
    body, at = (rows[1:], file_at or 0) if named else (rows, 0)
    needed = max(at + 1, 2)
    short = next((place for place, row in enumerate(body, 1) if len(row) < needed), None)
    if not body or short is not None:
        where = f" (row {short})" if short else ""
        raise SoundError(f"{option}: {path} has no two columns, file and class{where}")
    others = [name.strip() for place, name in enumerate(rows[0]) if place != at] if named else None
    return others, [(row[at].strip(), [cell.strip() for cell in row[:at] + row[at + 1 :]]) for row in body]


def _cells(path: Path, option: str) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError:
        raise SoundError(f"{option}: {path} is not UTF-8 text; save it as UTF-8") from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise SoundError(f"{option}: {path} is not a csv ({error})") from None


def csv_table(path: Path) -> Table:
    """Read the columns of a csv; without a head it is file and class."""
    head, rows = read_csv(path)
    names = [name.lower() if name.lower() in ALWAYS_CLASSES else name for name in head or [PRIMARY]]
    doubled = next((name for name in names if name and names.count(name) > 1), None)
    if doubled:
        raise SoundError(f"--labels: {path} has two columns called {doubled!r}; rename one")
    columns: dict[str, dict[str, Cell]] = {name: {} for name in names if name}
    for file, cells in rows:
        for name, cell in zip(names, cells, strict=False):
            if name:
                columns[name][file] = cell
    return Table(tuple(dict.fromkeys(file for file, _ in rows)), columns, usual(list(columns)))


def usual(names: Sequence[str]) -> tuple[str, ...]:
    """Choose the column called class or label alone where there is one, otherwise all."""
    one = [name for name in ALWAYS_CLASSES if name in names]
    return tuple(one[:1] or names)


def json_table(path: Path) -> Table:
    """Read {"file": label}, [["file", label], ...], or [{"file": ..., "class": ..., ...}, ...].

    A label is a name, a number, a list of numbers, or {"set": label, ...}.

    Raises:
        SoundError: anything else.
    """
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise SoundError(f"--labels: {path} is not JSON ({error})") from None
    if isinstance(value, dict) and isinstance(value.get("labels"), list):
        value = value["labels"]  # the layout of StyleGAN's dataset.json
    try:
        pairs = list(value.items()) if isinstance(value, dict) else [_pair(row) for row in value]
        columns: dict[str, dict[str, Cell]] = {}
        for file, label in pairs:
            for name, cell in _labels(label):
                columns.setdefault(name, {})[str(file)] = cell
    except (TypeError, ValueError, KeyError):
        raise SoundError(f'--labels: {path} holds neither {{"file": "class"}} nor [["file", "class"], ...]') from None
    return Table(tuple(dict.fromkeys(str(file) for file, _ in pairs)), columns, usual(list(columns)))


def _pair(row: Any) -> tuple[Any, Any]:
    if isinstance(row, dict):
        return row["file"], {str(name): value for name, value in row.items() if name != "file"}
    file, name = row
    return file, name


def _labels(label: Any) -> Iterator[tuple[str, Cell]]:
    single = "vector" if isinstance(label, list) else PRIMARY
    parts = label.items() if isinstance(label, dict) else [(single, label)]
    for name, value in parts:
        if isinstance(value, dict):
            raise ValueError
        if isinstance(value, list):
            yield str(name), tuple(float("nan") if one is None else float(one) for one in value)
        elif value is not None:
            yield str(name), str(value)
