# SPDX-License-Identifier: Apache-2.0
"""What an archive says of a label set: classes that an item is one of, or numbers that it has.

dataset.json lists the sets under `label_sets`; each has a member of its own: int64 [n], -1 for none, or float32 [n, w],
NaN for none. The first set of classes is the archive's own (`classes`, labels.npy). An archive without the list has at
most that one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from spect.archive import layout as zip64

CLASSES, VALUES = "classes", "values"
Kind = Literal["classes", "values"]
AT_A_TIME = 32  # columns, so that a million embeddings don't need their size in memory several times
PRIMARY = "class"  # the name of the set that an archive without a list of sets has


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort the names of classes, each once; by value where all are whole numbers."""
    unique = set(names)
    numeric = all(text.isascii() and text.isdigit() for text in unique)
    return tuple(sorted(unique, key=lambda text: (int(text) if numeric else 0, text)))


@dataclass(frozen=True)
class Spread:
    """Where numbers lie, column by column; columns without any number have mean 0 and deviation 1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]

    def to_dict(self) -> dict[str, list[float]]:
        """Give JSON values; from_dict gives the same."""
        return {name: list(getattr(self, name)) for name in ("mean", "deviation", "minimum", "maximum")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Spread":
        """Read to_dict's result."""
        named = ("mean", "deviation", "minimum", "maximum")
        return cls(*(tuple(float(value) for value in values[name]) for name in named))


def spread(values: np.ndarray) -> Spread:
    """Measure columns of numbers, NaN left out, to six digits. A column that doesn't vary has deviation 1.

    Shape: [n, w].
    """
    parts = [_rows(values[:, at : at + AT_A_TIME]) for at in range(0, values.shape[1], AT_A_TIME)]
    return Spread(*(tuple(float(f"{value:.6g}") for value in row) for row in np.concatenate(parts, axis=1)))


def _rows(values: np.ndarray) -> np.ndarray:
    """Give mean, deviation, minimum and maximum. Shape: [n, w] -> [4, w]."""
    known = np.isfinite(values)
    count, exact = np.maximum(known.sum(axis=0), 1), np.where(known, values, 0).astype(np.float64)
    mean = exact.sum(axis=0) / count
    deviation = np.sqrt((np.where(known, exact - mean, 0) ** 2).sum(axis=0) / count)
    deviation = np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-30), deviation, 1)
    some = known.any(axis=0)
    low = np.where(some, np.where(known, values, np.inf).min(axis=0, initial=np.inf), 0)
    high = np.where(some, np.where(known, values, -np.inf).max(axis=0, initial=-np.inf), 0)
    return np.stack([mean, deviation, low, high])


@dataclass(frozen=True)
class LabelSet:
    """One set.

    Args:
        kind: classes (an item is one of `classes`) or values (an item has `width` numbers).
        width: numbers an item; 1 for classes.
        columns: names of the numbers, where they have some.
        without: items that have no label, or lack one of the numbers.
        spread: of the train items' numbers; None for classes.
        member: where the labels stand in the archive.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...] = ()
    width: int = 1
    columns: tuple[str, ...] = ()
    without: int = 0
    spread: Spread | None = None
    member: str = zip64.LABELS

    def to_dict(self) -> dict[str, Any]:
        """Give what dataset.json holds of it."""
        common = {"name": self.name, "kind": self.kind, "without": self.without, "member": self.member}
        if self.kind == CLASSES:
            return {**common, "classes": list(self.classes)}
        measured = self.spread.to_dict() if self.spread else {}
        return {**common, "width": self.width, "columns": list(self.columns), **measured}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "LabelSet":
        """Read to_dict's result."""
        name, without, member = str(values["name"]), int(values["without"]), str(values["member"])
        if values["kind"] == CLASSES:
            return cls(name, "classes", tuple(values["classes"]), without=without, member=member)
        width, columns = int(values["width"]), tuple(values["columns"])
        return cls(name, "values", (), width, columns, without, Spread.from_dict(values), member)
