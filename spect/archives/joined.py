# SPDX-License-Identifier: Apache-2.0
"""Several archives of one representation, read as one: a dataset in parts that is never copied together.

Items are those of the first archive, then those of the second, and so on. Label sets are joined by name. It answers
what spect.archive.reader.Archive answers.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from spect.archive.layout import Layout
from spect.archive.reader import Archive, gathered
from spect.archive.sets import CLASSES, LabelSet
from spect.archives.alike import check_alike
from spect.archives.figures import statistics
from spect.archives.labels import JoinedSet, joined_sets, members_of
from spect.archives.summary import common
from spect.errors import SoundError
from spect.files import write_text

SAMPLE = 4096  # train items that statistics are measured on, as a view's are (patches/fitting.py)


class JoinedArchive:
    """A dataset of canvases in several files. Reads are thread-safe; it pickles as its paths.

    Args:
        members: opened, two or more.

    Raises:
        SoundError: they differ in a parameter or in the kind of a label set, or one comes twice.
    """

    def __init__(self, members: Sequence[Archive]) -> None:
        check_alike(members)
        self.members = tuple(members)
        self._starts = np.cumsum([0, *(len(member) for member in members)])
        self._sets = joined_sets(self.members)
        digests = json.dumps([member.digest for member in members]).encode()
        self.digest: str = hashlib.sha256(digests).hexdigest()
        self.values_of = lru_cache(maxsize=None)(self._values_of)

    def __reduce__(self) -> tuple[Any, ...]:
        return JoinedArchive, (self.members,)  # a member that was replaced is refused by its own digest

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def path(self) -> Path:
        """The first archive's path with how many more there are: what is kept beside a dataset is named by it."""
        first = self.members[0].path
        return first.with_name(f"{first.name}+{len(self.members) - 1}")

    @property
    def layout(self) -> Layout:
        """The places of pictures in each of the files."""
        return self.members[0].layout

    @property
    def representation_dict(self) -> dict[str, Any]:
        """The parameters of the representation."""
        return self.members[0].representation_dict

    @property
    def representation(self) -> Any:
        """The spect representation that turns its canvases back into sound."""
        return self.members[0].representation

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What dataset.json would say of all of it, but for statistics."""
        held = sum(member.summary["holdout_items"] for member in self.members)
        counts = {"items": len(self), "holdout_items": held, "train_items": len(self) - held}
        return {**common(self.members), **counts, "classes": list(self.classes)}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of the first set that has some, sorted."""
        return next((one.classes for one in self._sets if one.model.kind == CLASSES), ())

    @cached_property
    def statistics(self) -> dict[str, Any]:
        """Figures of a build, measured over at most 4 096 train items; kept beside the first archive by their hash.

        The archives' own can't be joined: a percentile of all isn't told by those of parts.
        """
        path = self.path.with_name(f"{self.path.name}.statistics-{self.digest[:16]}.json")
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads(path.read_text(encoding="utf-8")))
        train = self.train
        chosen = train if len(train) <= SAMPLE else np.sort(np.random.default_rng(0).choice(train, SAMPLE, False))
        found = dict(statistics((self.raw(item) for item in chosen.tolist()), self.layout.rows).to_dict())
        with contextlib.suppress(OSError):
            write_text(path, json.dumps(found, sort_keys=True))
        return found

    @property
    def labels(self) -> np.ndarray:
        """Class of each item, -1 for none. Shape: [n] int64, read-only."""
        own = next((one for one in self._sets if one.model.kind == CLASSES), None)
        return np.full(len(self), -1, np.int64) if own is None else self.label_values(own.name)

    @cached_property
    def label_sets(self) -> tuple[LabelSet, ...]:
        """What its items are labelled with, in the order in which the archives name it."""
        train = np.zeros(len(self), bool)
        train[self.train] = True
        return tuple(one.described(self.values_of(one.name), train, member) for one, member in members_of(self._sets))

    def label_values(self, name: str) -> np.ndarray:
        """Give the labels of a set. Shape: [n] int64, -1 for none, or [n, w] float32, NaN for none; read-only.

        Raises:
            SoundError: there is no set of that name.
        """
        if name not in [one.name for one in self._sets]:
            there = ", ".join(one.name for one in self._sets) or "none at all"
            raise SoundError(f"{self.path}: no label set {name!r}; there is {there}")
        return self.values_of(name)

    def _values_of(self, name: str) -> np.ndarray:
        one: JoinedSet = next(one for one in self._sets if one.name == name)
        values = one.values(self.members)
        values.setflags(write=False)
        return values

    @cached_property
    def holdout(self) -> np.ndarray:
        """Indices of items that training never sees. Shape: [h] int64."""
        return self._all([member.holdout for member in self.members])

    @cached_property
    def train(self) -> np.ndarray:
        """Indices of items that training reads. Shape: [n - h] int64."""
        return self._all([member.train for member in self.members])

    def _all(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([part + start for part, start in zip(parts, self._starts[:-1], strict=True)])

    def raw(self, index: int) -> np.ndarray:
        """Map a picture as it is stored. Shape: [F, T, 4] float32, read-only."""
        member, item = self._member(index)
        return member.raw(item)

    def canvases(self, indices: Any) -> np.ndarray:
        """Copy canvases, channels first. Shape: [n, 4, F, T] float32."""
        return gathered(self.layout, indices, self.raw)

    def item(self, index: int) -> dict[str, Any]:
        """Read an item's record."""
        member, item = self._member(index)
        return member.item(item)

    def records(self) -> Iterator[dict[str, Any]]:
        """Read all items' records in order, a block at a time."""
        for member in self.members:
            yield from member.records()

    def sources(self, indices: np.ndarray) -> list[str]:
        """Tell the files that items come from. Shape: int64 [n]."""
        return [str(self.item(index)["source"]) for index in np.asarray(indices).tolist()]

    def _member(self, index: int) -> tuple[Archive, int]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        index %= len(self)
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self.members[number], index - int(self._starts[number])
