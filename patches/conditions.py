# SPDX-License-Identifier: Apache-2.0
"""What a network is told of a sound: label sets as one vector c [K], one part after the other.

A set of classes gives one number a class: 1 for its own, 0 for the others, all 0 for none; weights that sum to 1 mix
classes, and the network's embedding, linear in c, with them. A set of values gives (x - mean) / deviation for each
number, 0 (the mean) for one that isn't known, and then 1 if any is known, else 0: without this constant the embedding's
normalisation (facts: Karras et al. 2019, the mapping's input) would leave nothing of a single number but its sign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from patches.errors import UserError
from spect.archive.sets import CLASSES, VALUES, Kind, LabelSet, Spread, spread
from spect.archives.opening import AnyArchive
from spect.dataset.labels_set import number
from spect.pitch import midi_note

AT_A_TIME = 65536  # items, where all are looked at


@dataclass(frozen=True)
class Condition:
    """One label set as a network learns it.

    Args:
        kind: classes, of which a sound is one, or values, of which it has `width`.
        columns: names of the values, where they have some.
        spread: of the values that it was trained on; None for classes.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...] = ()
    width: int = 1
    columns: tuple[str, ...] = ()
    spread: Spread | None = None

    @property
    def size(self) -> int:
        """How many numbers of c are its."""
        return len(self.classes) if self.kind == CLASSES else self.width + 1

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Turn an archive's labels into their part of c. Shape: int [n], -1 for none, or [n, w] -> float32 [n, size].

        NaN is a number that isn't known.
        """
        if self.kind == CLASSES:
            return (labels[:, None] == np.arange(len(self.classes))).astype(np.float32)
        assert self.spread is not None
        standard = (labels.astype(np.float64) - self.spread.mean) / np.asarray(self.spread.deviation)
        known = np.isfinite(standard)
        return np.concatenate([np.where(known, standard, 0), known.any(axis=1, keepdims=True)], 1).astype(np.float32)

    def row(self, numbers: Sequence[float]) -> np.ndarray:
        """Turn weights of the classes, or values in their own units, into a part of c. Shape: float32 [size]."""
        if self.kind == CLASSES:
            return np.asarray(numbers, np.float32)
        return self.encode(np.asarray([numbers], np.float64))[0]

    def told(self) -> str:
        """Say what is learned."""
        if self.kind == CLASSES:
            more = ", ..." * (len(self.classes) > 12)
            return f"{self.name}: {len(self.classes)} classes ({', '.join(self.classes[:12])}{more})"
        assert self.spread is not None
        if self.width > 1:
            return f"{self.name}: {self.width} values"
        low, high = self.spread.minimum[0], self.spread.maximum[0]
        return (
            f"{self.name}: a value, {low:g} to {high:g} "
            f"(mean {self.spread.mean[0]:g}, deviation {self.spread.deviation[0]:g})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give what a snapshot's header holds of it."""
        if self.kind == CLASSES:
            return {"name": self.name, "kind": self.kind, "classes": list(self.classes)}
        measured = self.spread.to_dict() if self.spread else {}
        return {"name": self.name, "kind": self.kind, "width": self.width, "columns": list(self.columns), **measured}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Condition":
        """Read to_dict's result."""
        name = str(values["name"])
        if values["kind"] == CLASSES:
            return cls(name, "classes", tuple(str(one) for one in values["classes"]))
        columns = tuple(str(one) for one in values["columns"])
        return cls(name, "values", (), int(values["width"]), columns, Spread.from_dict(values))


@dataclass(frozen=True)
class Conditions:
    """All that a network is told, in order."""

    sets: tuple[Condition, ...] = ()

    @property
    def size(self) -> int:
        """K, the length of c."""
        return sum(one.size for one in self.sets)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the first classes; none where there are only values."""
        return next((one.classes for one in self.sets if one.kind == CLASSES), ())

    def of_items(self, archive: AnyArchive, indices: np.ndarray) -> np.ndarray:
        """Give c of an archive's items. Shape: int64 [n] -> float32 [n, K]."""
        parts = [one.encode(labels_of(archive, one, indices)) for one in self.sets]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(indices), 0), np.float32)

    def without(self, archive: AnyArchive, indices: np.ndarray) -> tuple[int, ...]:
        """Count the items that have no label, or lack one of the values, for each set."""
        parts = np.array_split(indices, len(indices) // AT_A_TIME + 1)
        return tuple(sum(_missing(labels_of(archive, one, part)) for part in parts) for one in self.sets)

    def to_list(self) -> list[dict[str, Any]]:
        """Give what a snapshot's header holds."""
        return [one.to_dict() for one in self.sets]

    @classmethod
    def from_list(cls, values: Sequence[Mapping[str, Any]]) -> "Conditions":
        """Read to_list's result."""
        return cls(tuple(Condition.from_dict(one) for one in values))


def labels_of(archive: AnyArchive, condition: Condition, indices: np.ndarray) -> np.ndarray:
    """Read items' labels as a condition takes them: classes that are learned as values become their numbers.

    Shape: [n] int64 for classes, [n, w] for values.
    """
    labels = archive.label_values(condition.name)[indices]
    if condition.kind == CLASSES or labels.ndim == 2:
        return labels
    classes = next(one.classes for one in archive.label_sets if one.name == condition.name)
    numbers = np.append(class_numbers(classes), np.nan)  # -1, none, is the last
    return numbers[labels][:, None]


def _missing(labels: np.ndarray) -> int:
    return int((labels < 0).sum() if labels.ndim == 1 else (~np.isfinite(labels).all(axis=1)).sum())


@lru_cache(maxsize=64)
def class_numbers(classes: tuple[str, ...]) -> np.ndarray:
    """Read the names of classes as numbers or notes, NaN for one that is neither. Shape: [K]."""
    read = [number(name) if number(name) is not None else midi_note(name) for name in classes]
    return np.asarray([np.nan if one is None else one for one in read])


def conditions_of(archive: AnyArchive, cond: bool | str) -> Conditions:
    """Choose what a network learns of an archive's labels.

    Args:
        cond: False for nothing, True for all sets, or names: "instrument,pitch:value" (classes as values).

    Raises:
        UserError: no labels, no such set, or classes that are no numbers asked for as values.
    """
    if cond is False:
        return Conditions()
    if not archive.label_sets:
        raise UserError(
            f"--cond: {archive.path} has no labels; build it with --labels=folders or a csv, or leave --cond out"
        )
    asked = [one.name for one in archive.label_sets] if cond is True else _names(str(cond))
    return Conditions(tuple(_condition(archive, text) for text in asked))


def _names(cond: str) -> list[str]:
    asked = [name.strip() for name in cond.split(",") if name.strip()]
    names = [text.partition(":")[0] for text in asked]
    if len(set(names)) < len(names):
        raise UserError(f"--cond={cond}: names a label set twice; give each once")
    return asked


def _condition(archive: AnyArchive, text: str) -> Condition:
    name, _, kind = text.partition(":")
    found = next((one for one in archive.label_sets if one.name == name), None)
    if found is None:
        there = ", ".join(one.name for one in archive.label_sets)
        raise UserError(f"--cond={text}: {archive.path} has no label set {name!r}; there is {there}")
    if kind not in ("", "class", "value"):
        raise UserError(f"--cond={text}: {kind!r} is no kind of label; give {name}, {name}:class or {name}:value")
    if found.kind == VALUES:
        if kind == "class":
            raise UserError(f"--cond={text}: {name} holds values, not classes; give {name}, or build it with names")
        return Condition(name, "values", (), found.width, found.columns, found.spread)
    return _as_values(archive, found) if kind == "value" else Condition(name, "classes", found.classes)


def _as_values(archive: AnyArchive, found: LabelSet) -> Condition:
    numbers = class_numbers(found.classes)
    if np.isnan(numbers).any():
        bad = found.classes[int(np.isnan(numbers).argmax())]
        raise UserError(f"--cond={found.name}:value: its class {bad!r} is no number or note; give --cond={found.name}")
    bare = Condition(found.name, "values")
    return replace(bare, spread=spread(labels_of(archive, bare, archive.train)))


def parse_cond(text: str) -> bool | str:
    """Read --cond: a boolean, or names of label sets."""
    word = text.strip().lower()
    if word in ("1", "true", "t", "yes", "y", "on"):
        return True
    if word in ("", "0", "false", "f", "no", "n", "off", "none"):
        return False
    return ",".join(_names(text))
