# SPDX-License-Identifier: Apache-2.0
"""The label sets of several archives as one: sets of one name are one set, classes of one name one class.

An archive without a set has no labels in it (-1, NaN). Sets stand in the order in which they are met; classes are
sorted, as a build sorts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spect.archive import layout as zip64
from spect.archive.reader import Archive
from spect.archive.sets import CLASSES, PRIMARY, LabelSet, class_order, spread
from spect.errors import SoundError


@dataclass(frozen=True)
class JoinedSet:
    """A set, and what each of the archives has of it."""

    name: str
    parts: tuple[LabelSet | None, ...]
    classes: tuple[str, ...]

    @property
    def model(self) -> LabelSet:
        """The first archive's that has it."""
        return next(part for part in self.parts if part is not None)

    def values(self, archives: Sequence[Archive]) -> np.ndarray:
        """Give all items' labels, archive after archive. Shape: -> [n] int64, or [n, w] float32."""
        pairs = zip(archives, self.parts, strict=True)
        return np.concatenate([self._of(archive, part) for archive, part in pairs])

    def _of(self, archive: Archive, part: LabelSet | None) -> np.ndarray:
        if part is None:
            bare = self.model.kind == CLASSES
            shape = (len(archive),) if bare else (len(archive), self.model.width)
            return np.full(shape, -1, np.int64) if bare else np.full(shape, np.nan, np.float32)
        labels = archive.label_values(self.name)
        if part.kind != CLASSES:
            return labels
        numbers = np.asarray([*(self.classes.index(name) for name in part.classes), -1], np.int64)
        return numbers[labels]  # -1, none, is the last

    def described(self, labels: np.ndarray, train: np.ndarray, member: str) -> LabelSet:
        """Give what dataset.json says of it. Shape: [n] or [n, w], [n] of bool."""
        if self.model.kind == CLASSES:
            without = int((labels < 0).sum())
            return LabelSet(self.name, "classes", self.classes, without=without, member=member)
        without = int((~np.isfinite(labels).all(axis=1)).sum())
        measured = spread(labels if train.all() else labels[train])
        return replace(self.model, without=without, spread=measured, member=member)


def joined_sets(archives: Sequence[Archive]) -> tuple[JoinedSet, ...]:
    """Join the archives' label sets by name.

    Raises:
        SoundError: sets of one name are of two kinds, or of two widths or columns.
    """
    names = dict.fromkeys(one.name for archive in archives for one in archive.label_sets)
    return tuple(_joined(name, archives) for name in names)


def _joined(name: str, archives: Sequence[Archive]) -> JoinedSet:
    parts = tuple(next((one for one in archive.label_sets if one.name == name), None) for archive in archives)
    having = [(archive, part) for archive, part in zip(archives, parts, strict=True) if part is not None]
    first, model = having[0]
    for archive, part in having:
        if (part.kind, part.width, part.columns) != (model.kind, model.width, model.columns):
            raise SoundError(
                f"{archive.path}: its label set {name!r} is {_told(part)}, that of {first.path} is {_told(model)}; "
                "rename one of them, and build that archive again"
            )
    return JoinedSet(name, parts, class_order(text for _, part in having for text in part.classes))


def _told(one: LabelSet) -> str:
    if one.kind == CLASSES:
        return "classes"
    return f"{one.width} numbers" + f" ({', '.join(one.columns[:6])})" * bool(one.columns)


def members_of(sets: Sequence[JoinedSet]) -> list[tuple[JoinedSet, str]]:
    """Say which member of an archive holds which set: the first of classes is the archive's own."""
    own = next((one for one in sets if one.model.kind == CLASSES), None)
    found, more = [], 0
    for one in sets:
        more += one is not own
        found.append((one, zip64.LABELS if one is own else f"labels{more}.npy"))
    return found


def is_usual(sets: Sequence[JoinedSet]) -> bool:
    """Whether dataset.json needs no list of sets: there is at most the one that `classes` tells."""
    return [(one.name, one.model.kind) for one in sets] in ([], [(PRIMARY, CLASSES)])
