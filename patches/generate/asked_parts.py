# SPDX-License-Identifier: Apache-2.0
"""Parts of --class and --vector read, and what a network learned named in messages."""

import math
from pathlib import Path

import numpy as np

from patches.conditions import Condition, Conditions
from patches.errors import UserError
from spect.dataset.labels_set import number

LARGEST_WEIGHT = 1e9  # so that no sum of them is infinite


def weighted(condition: Condition, part: str, text: str, mixed: bool) -> tuple[int, float]:
    """Read CLASS or CLASS:WEIGHT, the class by name or index; `text` is the whole of --class.

    Raises:
        UserError: no such class, or no weight.
    """
    name, colon, written = part.rpartition(":")
    weight = number(written) if colon and part not in condition.classes else 1.0
    name = part if not colon or part in condition.classes else name.strip()
    if weight is None or not 0 < weight <= LARGEST_WEIGHT:
        raise UserError(
            f"--class={text}: {written!r} is no weight; give one above 0, up to {LARGEST_WEIGHT:g}, as in "
            f"{example(condition)}"
        )
    if name in condition.classes:
        return condition.classes.index(name), weight
    if not (name.isascii() and name.isdigit()) or int(name) >= len(condition.classes):
        unknown = f"{name!r} is" if mixed or colon else "it is"
        raise UserError(f"--class={text}: {unknown} unknown to this network; choose one of {choices_of(condition)}")
    return int(name), weight


def read_vector(path: Path, text: str) -> tuple[float, ...]:
    """Read one row of numbers from a .npy.

    Raises:
        UserError: it holds anything else.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"--vector={text}: can't be read as .npy ({reason})") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or values.size not in values.shape:
        raise UserError(f"--vector={text}: holds no single row of numbers; save one with numpy.save")
    numbers = tuple(float(value) for value in values.astype(np.float32).reshape(-1))
    if any(math.isinf(value) for value in numbers):
        raise UserError(f"--vector={text}: holds infinity; NaN stands for a number that isn't known")
    return numbers


def example(condition: Condition) -> str:
    """Show how classes are mixed."""
    first, last = condition.classes[0], condition.classes[-1]
    return f"{first}:0.7,{last}:0.3"


def choices_of(condition: Condition) -> str:
    """Name the classes that there are."""
    return f"0-{len(condition.classes) - 1} ({listed(condition.classes)})"


def learned(conditions: Conditions) -> str:
    """Name what a network is told."""
    parts = [(one.kind, one.name, listed(one.columns)) for one in conditions.sets]
    return ", ".join(f"{kind} {name}" + f" ({columns})" * bool(columns) for kind, name, columns in parts)


def notes_of(numbers: np.ndarray) -> str:
    """Name the pitches that there are. Shape: [K]."""
    return listed(tuple(f"{value:g}" for value in sorted(numbers[np.isfinite(numbers)])))


def listed(names: tuple[str, ...], most: int = 12) -> str:
    """Name up to a dozen, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
