# SPDX-License-Identifier: Apache-2.0
"""What a person asks a conditional network for: a class, a mix of classes, a pitch, values, a vector.

A mix is linear in the condition vector, and so in the network's embedding of it: kick:0.7,snare:0.3 is 0.7 and 0.3 in
the two places that are 1 for one class alone.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from patches.conditions import Condition, Conditions
from spect.archive.sets import CLASSES

MOST_LETTERS = 80  # that a condition adds to a file's name


@dataclass(frozen=True)
class Chosen:
    """One condition of a network, set by set in the sets' own units: weights of classes, values (NaN: not known)."""

    conditions: Conditions
    numbers: tuple[tuple[float, ...], ...]

    def vector(self) -> np.ndarray:
        """Give the condition vector. Shape: float32 [K]."""
        parts = [one.row(numbers) for one, numbers in zip(self.conditions.sets, self.numbers, strict=True)]
        return np.concatenate(parts)

    @property
    def single(self) -> int | None:
        """The class, where the network knows one set of classes only and it is one of them, unmixed."""
        if len(self.numbers) != 1 or self.conditions.sets[0].kind != CLASSES or sum(map(bool, self.numbers[0])) != 1:
            return None
        return next(index for index, weight in enumerate(self.numbers[0]) if weight)

    def told(self) -> str:
        """Say it in a few words: what isn't the mean."""
        return ", ".join(f"{name} {text}" for name, text in self._parts()) or "the mean"

    def suffix(self) -> str:
        """Return what file names add for it; a hash where it is long, and behind one that loses letters."""
        if self.single is not None:
            return f"c{self.single}"
        short = len(self.numbers) == 1 and self.conditions.sets[0].kind == CLASSES
        parts = [text if short else f"{name}-{text}" for name, text in self._parts()]
        exact = "_".join(parts)
        text = re.sub(r"[^A-Za-z0-9.+#_-]+", "-", exact)
        if len(text) > MOST_LETTERS:
            return f"cond-{_hash(exact)}"
        return text if text == exact else f"{text}-{_hash(exact)}"  # two classes may differ in those letters alone

    def _parts(self) -> Iterable[tuple[str, str]]:
        for one, numbers in zip(self.conditions.sets, self.numbers, strict=True):
            text = _mix(one, numbers) if one.kind == CLASSES else _values(one, numbers)
            if text:
                yield one.name, text

    def to_dict(self) -> dict[str, Any]:
        """Give what a recipe says of it: weights by class, and lists of values, null for one that isn't known."""
        told: dict[str, Any] = {}
        for one, numbers in zip(self.conditions.sets, self.numbers, strict=True):
            if one.kind == CLASSES:
                told[one.name] = {name: weight for name, weight in zip(one.classes, numbers, strict=True) if weight}
            else:
                told[one.name] = [None if math.isnan(value) else value for value in numbers]
        return told


def chosen_again(conditions: Conditions, told: Mapping[str, Any] | int | None) -> Chosen | None:
    """Read `Chosen.to_dict`'s form, or the number of a class, back.

    Raises:
        KeyError, TypeError, ValueError: it isn't this network's.
    """
    if told is None:
        return None
    if isinstance(told, int):
        (only,) = conditions.sets
        return Chosen(conditions, (one_hot(only, range(len(only.classes))[told]),))
    return Chosen(conditions, tuple(_numbers(one, told[one.name]) for one in conditions.sets))


def _numbers(condition: Condition, told: Any) -> tuple[float, ...]:
    if condition.kind == CLASSES:
        weights = {condition.classes.index(name): float(weight) for name, weight in told.items()}
        numbers = tuple(weights.get(index, 0.0) for index in range(len(condition.classes)))
    else:
        numbers = tuple(math.nan if value is None else float(value) for value in told)
        if len(numbers) != condition.width:
            raise ValueError(f"{condition.name} has {len(numbers)} values, not {condition.width}")
    if any(math.isinf(value) for value in numbers):
        raise ValueError(f"{condition.name} is infinite")
    return numbers


def one_hot(condition: Condition, index: int) -> tuple[float, ...]:
    """Give the weights of one class alone."""
    return tuple(float(index == place) for place in range(len(condition.classes)))


def short(value: float) -> str:
    """Write a number in few digits, in all that it takes."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _mix(condition: Condition, weights: Sequence[float]) -> str:
    some = [(name, weight) for name, weight in zip(condition.classes, weights, strict=True) if weight]
    return some[0][0] if len(some) == 1 else "+".join(f"{name}{short(weight)}" for name, weight in some)


def _values(condition: Condition, numbers: Sequence[float]) -> str:
    if condition.spread and tuple(numbers) == condition.spread.mean:
        return ""
    return short(numbers[0]) if len(numbers) == 1 else _hash(",".join(map(repr, numbers)))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]
