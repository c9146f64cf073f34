# SPDX-License-Identifier: Apache-2.0
"""Several archives as one file: items sorted by their source, as one build over all sounds would have sorted them.

So the order in which archives are named is nothing, and what --split parted comes together to the same bytes.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spect.archive.reader import Archive
from spect.archives.alike import check_alike
from spect.archives.collect import Chosen, Progress, collect
from spect.archives.labels import joined_sets
from spect.archives.summary import differing


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Args:
        shared: sources that stand in several of the archives; astray: those of them that are held out in one and
            trained on in another.
        differing: what the archives' sounds were prepared differently in.
    """

    digest: str
    items: int
    shared: int
    astray: int
    differing: tuple[str, ...]


def merge(archives: Sequence[Archive], dest: Path, progress: Progress = lambda pictures: None) -> Merged:
    """Write one archive of all items of several.

    Raises:
        SoundError: they differ in a parameter or in the kind of a label set, or a picture is damaged.
    """
    check_alike(archives)
    joined_sets(archives)  # refuses before the records are read
    total = sum(len(archive) for archive in archives)
    numbers, items = np.empty(total, np.int32), np.empty(total, np.int64)
    held = [np.isin(np.arange(len(archive)), archive.holdout) for archive in archives]
    shared, astray, last, seen = 0, 0, "", {(-1, False)}
    for at, (source, number, item) in enumerate(heapq.merge(*_streams(archives))):
        numbers[at], items[at] = number, item
        if source != last:
            shared, astray = shared + (len({n for n, _ in seen}) > 1), astray + (len({split for _, split in seen}) > 1)
            last, seen = source, set()
        seen.add((number, bool(held[number][item])))
    shared, astray = shared + (len({n for n, _ in seen}) > 1), astray + (len({split for _, split in seen}) > 1)
    digest = collect(Chosen(tuple(archives), numbers, items), dest, progress)
    return Merged(digest, total, shared, astray, tuple(differing(archives)))


def _streams(archives: Sequence[Archive]) -> list[Iterator[tuple[str, int, int]]]:
    return [_stream(archive, number) for number, archive in enumerate(archives)]


def _stream(archive: Archive, number: int) -> Iterator[tuple[str, int, int]]:
    for item, record in enumerate(archive.records()):
        yield str(record["source"]), number, item
