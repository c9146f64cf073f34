# SPDX-License-Identifier: Apache-2.0
"""Which real sounds a test takes, and what conditional networks are asked for: all classes as evenly as can be."""

import numpy as np

from patches.conditions import Condition, labels_of
from patches.errors import UserError
from patches.generate.conditions import Chosen, one_hot
from patches.generate.network import Network
from spect.archive.sets import CLASSES
from spect.archives.opening import AnyArchive


def evenly(classes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw positions without repetition, one of each class in turn; all where there are fewer than `count`.

    Shape: int [n] -> int64 [min(n, count)].
    """
    order = rng.permutation(len(classes))
    kinds, kind = np.unique(classes[order], return_inverse=True)
    together = np.argsort(kind, kind="stable")
    rank = np.empty(len(order), np.int64)  # of each within its class
    rank[together] = np.arange(len(order)) - np.searchsorted(kind[together], np.arange(len(kinds)))[kind[together]]
    turn = rng.permutation(len(kinds))[kind]
    return order[np.lexsort((turn, rank))[:count]]


def real_items(archive: AnyArchive, count: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Draw items of the held-out split, evenly over the first label set; of the train split where none is held out.

    Returns:
        indices int64 [at most count], and whether they are held out.

    Raises:
        UserError: the archive is empty.
    """
    held_out = bool(len(archive.holdout))
    items = archive.holdout if held_out else archive.train
    if not len(items):
        raise UserError(f"--data={archive.path}: holds no sounds")
    return items[evenly(archive.labels[items], count, rng)], held_out


def asked(network: Network, archive: AnyArchive, count: int, rng: np.random.Generator) -> list[Chosen | None]:
    """Choose what a network is asked for, clip by clip: labels of train items, evenly over its first set of classes.

    Raises:
        UserError: the archive doesn't have the labels that the network knows.
    """
    sets = network.conditions.sets
    if not sets:
        return [None] * count
    for one in sets:
        _check(network, archive, one)
    first = next((one for one in sets if one.kind == CLASSES), None)
    items = archive.train
    classes = np.zeros(len(items), np.int64) if first is None else labels_of(archive, first, items)
    if (classes >= 0).any():
        items, classes = items[classes >= 0], classes[classes >= 0]
    picked = np.resize(items[evenly(classes, count, rng)], count)
    columns = [_numbers(archive, one, picked) for one in sets]
    return [Chosen(network.conditions, numbers) for numbers in zip(*columns, strict=True)]


def _check(network: Network, archive: AnyArchive, condition: Condition) -> None:
    found = next((one for one in archive.label_sets if one.name == condition.name), None)
    unlike = sorted(set(found.classes) - set(condition.classes)) if found and condition.kind == CLASSES else []
    if found is None or unlike:
        said = f"no labels {condition.name!r}" if found is None else f"a class that it doesn't know ({unlike[0]})"
        raise UserError(f"{network.path}: --data={archive.path} has {said}; give the archive that it was trained on")


def _numbers(archive: AnyArchive, condition: Condition, items: np.ndarray) -> list[tuple[float, ...]]:
    """Give one set's weights of classes, or values in their own units, for each item."""
    labels = labels_of(archive, condition, items)
    if condition.kind != CLASSES:
        return [tuple(map(float, row)) for row in labels]
    names = next(one.classes for one in archive.label_sets if one.name == condition.name)
    places = [condition.classes.index(names[label]) if label >= 0 else -1 for label in labels]
    return [one_hot(condition, place) for place in places]
