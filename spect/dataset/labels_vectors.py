# SPDX-License-Identifier: Apache-2.0
"""Vectors of numbers for files (descriptors, an image's embedding): a csv of numbers, or an npy and its files' names.

NAME.npy, float [n, w], has its files in order beside it: NAME.json (a list, or {"file": row}) or NAME.txt (one a line).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spect.dataset.labels_match import Matcher
from spect.dataset.labels_set import ValueSet, checked_name, number, value_set
from spect.dataset.labels_table import read_csv
from spect.dataset.sources import Source
from spect.errors import SoundError

OPTION = "--vectors"
WIDEST = 65536


def read_vectors(text: str, source: Source, names: Sequence[str]) -> tuple[ValueSet, tuple[str, ...]]:
    """Read what `FILE` or `NAME=FILE` names, and the rows that name no file of the source.

    Raises:
        SoundError: no such file, not numbers, or no row that names a file.
    """
    name, path = _named(text)
    if not path.is_file() or path.suffix.lower() not in (".csv", ".npy"):
        what = "is neither .csv nor .npy" if path.is_file() else "doesn't exist"
        raise SoundError(f"{OPTION}: {path} {what}; give a .csv of file and numbers, or a .npy with its files' names")
    columns, rows, values = _csv(path) if path.suffix.lower() == ".csv" else _npy(path)
    if not 1 <= values.shape[1] <= WIDEST:
        raise SoundError(f"{OPTION}: {path} has {values.shape[1]} numbers a file; allowed are 1 to {WIDEST}")
    matched, unmatched = Matcher(path, source, names).match(dict.fromkeys(rows), OPTION)
    meant = [place for place, row in enumerate(rows) if row in matched]
    return value_set(name, columns, [matched[rows[place]] for place in meant], values[meant]), unmatched


def _named(text: str) -> tuple[str, Path]:
    name, equals, place = text.partition("=")
    if not equals or Path(text).is_file():
        return checked_name(Path(text).stem, OPTION), Path(text)
    return checked_name(name, OPTION), Path(place)


def _csv(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    head, rows = read_csv(path, OPTION)
    width = len(rows[0][1]) if head is None else len(head)
    values = np.full((len(rows), width), np.nan)
    for place, (file, cells) in enumerate(rows):
        read = [number(cell) if cell else float("nan") for cell in cells]
        if len(read) != width or None in read:
            raise SoundError(
                f"{OPTION}: {path}: the row of {file!r} isn't {width} numbers; the first column names the file, the "
                "others are numbers"
            )
        values[place] = read
    return head or [], [file for file, _ in rows], values


def _npy(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SoundError(f"{OPTION}: {path} can't be read as npy ({error})") from None
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "fiu":
        what = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else "several arrays"
        raise SoundError(f"{OPTION}: {path} holds {what}; numbers [files, width] are needed")
    names = _names(path)
    if len(names) != len(values):
        raise SoundError(f"{OPTION}: {path} has {len(values)} rows, and the list beside it {len(names)} names")
    return [], names, values


def _names(path: Path) -> list[str]:
    listed, lines = path.with_suffix(".json"), path.with_suffix(".txt")
    if lines.is_file():
        return [line for line in _text(lines).splitlines() if line.strip()]
    if not listed.is_file():
        raise SoundError(f"{OPTION}: {path} has no names beside it; write its files in order to {listed} or {lines}")
    try:
        value = json.loads(_text(listed))
        return _in_order(listed, value) if isinstance(value, dict) else [str(file) for file in value]
    except (json.JSONDecodeError, TypeError):
        raise SoundError(f'{OPTION}: {listed} holds neither ["file", ...] nor {{"file": row}}') from None


def _in_order(path: Path, rows: Mapping[str, Any]) -> list[str]:
    if sorted(rows.values()) != list(range(len(rows))):
        raise SoundError(
            f"{OPTION}: {path}: its rows aren't 0 to {len(rows) - 1}, each once; name the file of each row"
        )
    return sorted(rows, key=lambda file: int(rows[file]))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SoundError(f"{OPTION}: {path} is not UTF-8 text; save it as UTF-8") from None
