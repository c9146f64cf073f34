# SPDX-License-Identifier: Apache-2.0
"""The records of an archive, a line of sorted JSON each, read in blocks of several whole lines."""

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np

_HOLDOUT = re.compile(rb'"split":"holdout"')  # in sorted JSON without spaces; quotes inside names are escaped


def line_blocks(read: Callable[[int, int], bytes], start: int, stop: int, block_bytes: int) -> Iterator[bytes]:
    """Give the lines between two places of a file, several whole ones at a time.

    Args:
        read: gives the bytes between two places.
    """
    at, rest = start, b""
    while at < stop:
        block = rest + read(at, min(at + block_bytes, stop))
        at, cut = min(at + block_bytes, stop), block.rfind(b"\n") + 1
        rest = block[cut:]
        if cut:
            yield block[:cut]
    if rest:
        yield rest


def scan(blocks: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Tell where each line ends, and which lines are of items held out. Shape: int64 [n], [h]."""
    ends, held, at, lines = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0, 0
    for block in blocks:
        here = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
        ends.append(here + at)
        held.append(lines + np.searchsorted(here, [found.start() for found in _HOLDOUT.finditer(block)]))
        at, lines = at + len(block), lines + len(here)
    return np.concatenate(ends), np.concatenate(held)
