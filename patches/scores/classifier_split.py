# SPDX-License-Identifier: Apache-2.0
"""Which items of an archive a classifier learns from, and which it is counted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patches.errors import UserError
from spect.archive.sets import CLASSES, LabelSet
from spect.archives.opening import AnyArchive

TENTH = 0.1


@dataclass(frozen=True)
class Split:
    """Which labelled items are learned and which are counted, and what the counted are. Shape: int64 [n], [h]."""

    train: np.ndarray
    test: np.ndarray
    apart: str


def classes_of(archive: AnyArchive, label_set: str) -> LabelSet:
    """Find a set of classes.

    Raises:
        UserError: there is none of that name.
    """
    sets = [one for one in archive.label_sets if one.kind == CLASSES]
    for one in sets:
        if one.name == label_set:
            return one
    there = ", ".join(one.name for one in sets) or "none: build the archive with --labels"
    raise UserError(f"{archive.path}: no classes called {label_set!r}; there is {there}")


def split_of(archive: AnyArchive, label_set: str) -> Split:
    """Take the archive's own split, or set a tenth of its files apart where it held none out.

    Raises:
        UserError: there is no set of classes of that name.
    """
    known = archive.label_values(classes_of(archive, label_set).name) >= 0
    train, holdout = (part[known[part]] for part in (archive.train, archive.holdout))
    if len(holdout):
        return Split(train, holdout, "held-out files")
    apart = tenth(archive.sources(train))
    return Split(train[~apart], train[apart], "a tenth of the files, set apart by seed 0")


def tenth(sources: Sequence[str]) -> np.ndarray:
    """Choose a tenth of the files, at least one, with all that was cut from them. Shape: -> bool [n]."""
    files, numbers = np.unique(sources, return_inverse=True)
    chosen = np.random.default_rng(0).permutation(len(files)) < max(1, round(TENTH * len(files)))
    return chosen[numbers]
