# SPDX-License-Identifier: Apache-2.0
"""Classes of files: from the folders they lie in, or from a csv or json of file and class."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spect.dataset.sources import Source
from spect.errors import SoundError


@dataclass(frozen=True)
class Labels:
    """Sorted class names, the class number of each file that has one, and rows of a table that met no file."""

    classes: tuple[str, ...]
    numbers: Mapping[str, int]
    unmatched: tuple[str, ...] = ()

    def keep(self, names: Iterable[str]) -> "Labels":
        """Give the labels of these files alone: classes without a file are no classes."""
        return of_names(
            {name: self.classes[self.numbers[name]] for name in names if name in self.numbers}, self.unmatched
        )


NONE = Labels((), {})


def of_names(found: Mapping[str, str], unmatched: Sequence[str] = ()) -> Labels:
    """Number the classes in sorted order (by value where all are whole numbers)."""
    names = set(found.values())
    numeric = all(name.isascii() and name.isdigit() for name in names)
    classes = tuple(sorted(names, key=lambda name: (int(name) if numeric else 0, name)))
    number = {name: index for index, name in enumerate(classes)}
    return Labels(classes, {file: number[name] for file, name in found.items()}, tuple(unmatched))


def label(choice: str, source: Source, names: Sequence[str]) -> Labels:
    """Find the classes of files.

    Args:
        choice: none, folders, or the path of a csv or json.

    Raises:
        SoundError: the choice is none of these, or no file has a class by it.
    """
    if choice == "none":
        return NONE
    if choice == "folders":
        return _folders(source, names)
    path = Path(choice)
    if path.suffix.lower() not in (".csv", ".json"):
        raise SoundError(f"--labels: got {choice!r}; allowed are none, folders, or the path of a .csv or .json")
    if not path.is_file():
        raise SoundError(f"--labels: {path} doesn't exist; give a .csv or .json of file and class, or folders")
    table = _csv(path) if path.suffix.lower() == ".csv" else _json(path)
    return _match(path, table, source, names)


def _folders(source: Source, names: Sequence[str]) -> Labels:
    found = {name: name.split("/")[0] for name in names if "/" in name}
    if not found:
        raise SoundError(
            f"--labels=folders: {source.path} has no folders with sounds in it; put each class into a folder "
            "of its own, or give a csv of file,class"
        )
    return of_names(found)


def _csv(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError:
        raise SoundError(f"--labels: {path} is not UTF-8 text; save it as UTF-8") from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise SoundError(f"--labels: {path} is not a csv ({error})") from None
    rows = [row for row in table if any(cell.strip() for cell in row)]
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    file_at, class_at = _column(head, ("file", "filename", "path", "name")), _column(head, ("class", "label"))
    if file_at is None or class_at is None:
        file_at, class_at = 0, 1
    else:
        rows = rows[1:]
    short = next((number for number, row in enumerate(rows, 1) if len(row) <= max(file_at, class_at)), None)
    if not rows or short is not None:
        raise SoundError(f"--labels: {path} has no two columns, file and class{f' (row {short})' if short else ''}")
    return {row[file_at].strip(): row[class_at].strip() for row in rows}


def _column(head: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((head.index(name) for name in wanted if name in head), None)


def _json(path: Path) -> dict[str, str]:
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise SoundError(f"--labels: {path} is not JSON ({error})") from None
    if isinstance(value, dict) and isinstance(value.get("labels"), list):
        value = value["labels"]  # the layout of StyleGAN's dataset.json
    try:
        pairs = value.items() if isinstance(value, dict) else [_pair(row) for row in value]
        return {str(file): str(name) for file, name in pairs if name is not None}
    except (TypeError, ValueError, KeyError):
        raise SoundError(f'--labels: {path} holds neither {{"file": "class"}} nor [["file", "class"], ...]') from None


def _pair(row: Any) -> tuple[Any, Any]:
    if isinstance(row, dict):
        return row["file"], row["class"]
    file, name = row
    return file, name


def _match(path: Path, table: Mapping[str, str], source: Source, names: Sequence[str]) -> Labels:
    """Match rows by name under the source, by path beside the table, or by file name where that is unique."""
    resolved = {str((source.path / name).resolve()): name for name in names} if source.kind != "zip" else {}
    if source.kind == "file":
        resolved = {str(source.path.resolve()): names[0]}
    count = Counter(name.rsplit("/", 1)[-1] for name in names)
    short = {name.rsplit("/", 1)[-1]: name for name in names if count[name.rsplit("/", 1)[-1]] == 1}
    known, found, unmatched = set(names), {}, []
    for row, value in table.items():
        row_name = row.replace("\\", "/").removeprefix("./")
        place = str((path.parent / row_name).resolve())
        name = row_name if row_name in known else resolved.get(place) or short.get(row_name.rsplit("/", 1)[-1])
        if name is None:
            unmatched.append(row)
        elif value:
            found[name] = value
    if not found:
        first = next(iter(table), "")
        raise SoundError(
            f"--labels: none of the {len(table)} rows of {path} names a file of --source (the first is {first!r}, "
            f"the first file {names[0] if names else ''!r})"
        )
    return of_names(found, unmatched)
