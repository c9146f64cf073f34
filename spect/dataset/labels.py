# SPDX-License-Identifier: Apache-2.0
"""Labels of files, in one set or several: from folders, tables, names, `smpl` chunks, and vectors of numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spect.archive import layout as zip64
from spect.archive.sets import PRIMARY, LabelSet
from spect.dataset.labels_match import Matcher
from spect.dataset.labels_names import from_chunks, from_pattern
from spect.dataset.labels_set import AnySet, ClassSet, checked_name, class_set, set_of_texts, value_set
from spect.dataset.labels_table import Cell, Table, csv_table, json_table
from spect.dataset.labels_vectors import read_vectors
from spect.dataset.sources import Source
from spect.errors import SoundError


@dataclass(frozen=True)
class Labels:
    """Label sets, and rows of tables that met no file. The first set of classes is the archive's own."""

    sets: tuple[AnySet, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def own(self) -> ClassSet:
        """The first set of classes; one without any where there is none."""
        return next((one for one in self.sets if isinstance(one, ClassSet)), ClassSet(PRIMARY, (), {}))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the archive's own classes, sorted."""
        return self.own.classes

    @property
    def numbers(self) -> Mapping[str, int]:
        """The own class of each file that has one."""
        return self.own.numbers

    def keep(self, names: Iterable[str]) -> "Labels":
        """Give the labels of these files alone: a set that none of them is in goes."""
        listed = list(names)
        kept = (one.keep(listed) for one in self.sets)
        return replace(self, sets=tuple(one for one in kept if one.files))

    def members(self, files: Sequence[str], train: np.ndarray) -> tuple[list[LabelSet], dict[str, np.ndarray]]:
        """Give what an archive says of its sets, and what stands in it beside the own classes, by member.

        Args:
            files: of each item.
            train: which items are trained on, [n] bool.
        """
        described: list[LabelSet] = []
        arrays: dict[str, np.ndarray] = {}
        for one in self.sets:
            labels = one.array(files)
            member = zip64.LABELS if one is self.own else f"labels{len(arrays) + 1}.npy"
            if member != zip64.LABELS:
                arrays[member] = labels
            described.append(one.described(labels, train, member))
        return described, arrays


NONE = Labels()


def of_names(found: Mapping[str, str], unmatched: Sequence[str] = ()) -> Labels:
    """Make labels of one set: the class of each file."""
    return Labels((class_set(PRIMARY, found),), tuple(unmatched))


@dataclass(frozen=True)
class Asked:
    """Which labels a person asks for.

    Args:
        labels: each of them none, folders, smpl, or the path of a csv or json.
        pattern: a regular expression for the names, or the name of a ready one.
        vectors: each FILE or NAME=FILE, a csv of numbers or an npy.
        sets: which sets to take, in this order; None for all, of a table with a column class or label that one alone.
    """

    labels: tuple[str, ...] = ()
    pattern: str | None = None
    vectors: tuple[str, ...] = ()
    sets: tuple[str, ...] | None = None


def find_labels(asked: Asked, source: Source, names: Sequence[str]) -> Labels:
    """Find the labels of files.

    Raises:
        SoundError: one of the choices is none, no file has a label by it, or two sets are of one name.
    """
    found = [_found(choice, source, names, asked.sets is None) for choice in asked.labels]
    if asked.pattern is not None:
        found.append(Labels(tuple(from_pattern(asked.pattern, names))))
    for text in asked.vectors:
        vectors, unmatched = read_vectors(text, source, names)
        found.append(Labels((vectors,), unmatched))
    sets = tuple(one for labels in found for one in labels.sets if one.files)
    _check_names([one.name for one in sets])
    unmatched = tuple(row for labels in found for row in labels.unmatched)
    return Labels(sets if asked.sets is None else _chosen(asked.sets, sets), unmatched)


def _check_names(names: Sequence[str]) -> None:
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise SoundError(
            f"--labels: there are two label sets called {doubled!r}; rename a column or group, or give a vector's "
            "name as --vectors NAME=FILE"
        )


def _chosen(wanted: Sequence[str], sets: Sequence[AnySet]) -> tuple[AnySet, ...]:
    there = {one.name: one for one in sets}
    unknown = [name for name in wanted if name not in there]
    if unknown or not wanted:
        listed = ", ".join(there) or "none: add --labels"
        raise SoundError(f"--label-sets: no set {', '.join(unknown) or 'was named'}; there are {listed}")
    return tuple(there[name] for name in dict.fromkeys(wanted))


def label(choice: str, source: Source, names: Sequence[str]) -> Labels:
    """Find the labels of files by one choice: none, folders, smpl, or the path of a csv or json."""
    return find_labels(Asked((choice,)), source, names)


def _found(choice: str, source: Source, names: Sequence[str], usual: bool) -> Labels:
    if choice == "none":
        return NONE
    if choice == "folders":
        return _folders(source, names)
    if choice == "smpl":
        return Labels((from_chunks(source, names),))
    path = Path(choice)
    if path.suffix.lower() not in (".csv", ".json"):
        raise SoundError(f"--labels: got {choice!r}; allowed are none, folders, smpl, or the path of a .csv or .json")
    if not path.is_file():
        raise SoundError(f"--labels: {path} doesn't exist; give a .csv or .json of file and class, or folders")
    table = csv_table(path) if path.suffix.lower() == ".csv" else json_table(path)
    return _of_table(path, table, Matcher(path, source, names), table.usual if usual else tuple(table.columns))


def _folders(source: Source, names: Sequence[str]) -> Labels:
    found = {name: name.split("/")[0] for name in names if "/" in name}
    if not found:
        raise SoundError(
            f"--labels=folders: {source} has no folders with sounds in it; put each class into a folder "
            "of its own, or give a csv of file,class"
        )
    return of_names(found)


def _of_table(path: Path, table: Table, matcher: Matcher, wanted: Sequence[str]) -> Labels:
    matched, unmatched = matcher.match(table.rows)
    sets = []
    for column in wanted:
        cells = {matched[row]: cell for row, cell in table.columns[column].items() if row in matched}
        sets.append(_set(path, PRIMARY if column == "label" else checked_name(column, "--labels"), cells))
    if not any(one.files for one in sets):
        raise SoundError(f"--labels: {path} has no label for a file of --source")
    return Labels(tuple(sets), unmatched)


def _set(path: Path, name: str, cells: Mapping[str, Cell]) -> AnySet:
    texts = {file: cell for file, cell in cells.items() if isinstance(cell, str)}
    vectors = {file: cell for file, cell in cells.items() if not isinstance(cell, str)}
    widths = {len(vector) for vector in vectors.values()}
    if (texts and vectors) or len(widths) > 1 or widths == {0}:
        raise SoundError(f"--labels: {path}: {name} must be of one kind for all files, and vectors of one length")
    return (
        value_set(name, (), list(vectors), np.asarray(list(vectors.values()))) if vectors else set_of_texts(name, texts)
    )
