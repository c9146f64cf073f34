# SPDX-License-Identifier: Apache-2.0
"""A label set by file, before there is an archive: classes, or numbers; and how it becomes an archive's member."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spect.archive.sets import LabelSet, class_order, spread
from spect.errors import SoundError
from spect.pitch import midi_note

PITCH = "pitch"  # the set whose labels are MIDI notes
ALWAYS_CLASSES = ("class", "label")
_WHOLE = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class ClassSet:
    """Sorted class names, and the class number of each file that has one."""

    name: str
    classes: tuple[str, ...]
    numbers: Mapping[str, int]

    @property
    def files(self) -> Collection[str]:
        """The files that have a label."""
        return self.numbers.keys()

    def keep(self, names: Iterable[str]) -> "ClassSet":
        """Give the set of these files alone: classes without a file are no classes."""
        found = {name: self.classes[self.numbers[name]] for name in names if name in self.numbers}
        return class_set(self.name, found)

    def array(self, names: Sequence[str]) -> np.ndarray:
        """Give the labels of files, -1 for none. Shape: [n] int64."""
        return np.asarray([self.numbers.get(name, -1) for name in names], np.int64)

    def described(self, labels: np.ndarray, train: np.ndarray, member: str) -> LabelSet:
        """Give what the archive says of it."""
        return LabelSet(self.name, "classes", self.classes, without=int((labels < 0).sum()), member=member)


@dataclass(frozen=True, eq=False)
class ValueSet:
    """Numbers of files.

    Args:
        numbers: float32 [rows, width], NaN for one that isn't known.
        rows: the row of each file that has one.
        columns: names of the numbers, or empty.
    """

    name: str
    columns: tuple[str, ...]
    numbers: np.ndarray
    rows: Mapping[str, int]

    @property
    def width(self) -> int:
        """Numbers a file."""
        return int(self.numbers.shape[1])

    @property
    def files(self) -> Collection[str]:
        """The files that have a label."""
        return self.rows.keys()

    def keep(self, names: Iterable[str]) -> "ValueSet":
        """Give the set of these files alone."""
        return replace(self, rows={name: self.rows[name] for name in names if name in self.rows})

    def array(self, names: Sequence[str]) -> np.ndarray:
        """Give the numbers of files, NaN for none. Shape: [n, w] float32."""
        rows = np.asarray([self.rows.get(name, -1) for name in names], np.int64)
        out = np.full((len(rows), self.width), np.nan, np.float32)
        out[rows >= 0] = self.numbers[rows[rows >= 0]]
        return out

    def described(self, labels: np.ndarray, train: np.ndarray, member: str) -> LabelSet:
        """Give what the archive says of it; the spread is that of the train items. Shape: [n, w], [n] of bool."""
        without = int((~np.isfinite(labels).all(axis=1)).sum())
        return LabelSet(self.name, "values", (), self.width, self.columns, without, spread(labels[train]), member)


AnySet = ClassSet | ValueSet


def class_set(name: str, found: Mapping[str, str]) -> ClassSet:
    """Number the classes in sorted order (by value where all are whole numbers)."""
    classes = class_order(found.values())
    number = {text: index for index, text in enumerate(classes)}
    return ClassSet(name, classes, {file: number[text] for file, text in found.items()})


def value_set(name: str, columns: Sequence[str], files: Sequence[str], numbers: np.ndarray) -> ValueSet:
    """Gather numbers; what isn't finite is taken for not known, and a file without any for one without a label.

    Args:
        files: of each row of `numbers`, [rows, width]; of a file that comes twice the last row counts.
    """
    with np.errstate(over="ignore"):
        numbers = np.asarray(numbers, np.float32)
    numbers = np.where(np.isfinite(numbers), numbers, np.float32("nan"))
    some = np.isfinite(numbers).any(axis=1)
    return ValueSet(name, tuple(columns), numbers, {file: row for row, file in enumerate(files) if some[row]})


def set_of_texts(name: str, texts: Mapping[str, str]) -> AnySet:
    """Tell from its cells what a column is: numbers where all are and not all are whole, otherwise classes.

    Pitches that are all notes become MIDI numbers. Empty cells, and 'nan' among numbers, are no labels.
    """
    found = {file: text.strip() for file, text in texts.items() if text.strip()}
    if name == PITCH:
        found = _notes(found)
    numbers = {file: value for file, text in found.items() if (value := number(text)) is not None}
    if len(numbers) < len(found):
        return class_set(name, found)
    known = {file: text for file, text in found.items() if not math.isnan(numbers[file])}
    if name in ALWAYS_CLASSES or all(_WHOLE.fullmatch(text) for text in known.values()):
        return class_set(name, known)
    return value_set(name, (), list(known), np.asarray([numbers[file] for file in known])[:, None])


def _notes(found: Mapping[str, str]) -> dict[str, str]:
    notes = {file: midi_note(text) for file, text in found.items()}
    if None in notes.values():
        return dict(found)
    whole = all(note is not None and note.is_integer() for note in notes.values())
    return {file: str(int(note)) if whole else repr(note) for file, note in notes.items() if note is not None}


def number(text: str) -> float | None:
    """Read a number, None for anything else."""
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def checked_name(text: str, where: str) -> str:
    """Give the name of a set as it can be typed: without blanks.

    Raises:
        SoundError: it is empty, or holds a sign that the options of training and generation use.
    """
    name = re.sub(r"\s+", "_", text.strip())
    if not name or set(name) & set("=:,"):
        raise SoundError(f"{where}: a label set can't be called {text!r}; give it a name without = : and ,")
    return name
