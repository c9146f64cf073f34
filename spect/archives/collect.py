# SPDX-License-Identifier: Apache-2.0
"""Write a new archive out of pictures of others, in any order: copied in blocks, checked on the way, measured anew.

Equal items in equal order give the bytes that a build of their sounds gives. Memory holds some blocks and, for each
item, where it comes from and its labels.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spect.archive import layout as zip64
from spect.archive.ahead import BLOCK_BYTES, ahead
from spect.archive.layout import Layout
from spect.archive.reader import Archive
from spect.archive.sets import CLASSES
from spect.archive.tail import write_at
from spect.archive.writer import ArchiveWriter
from spect.archives.figures import figures
from spect.archives.labels import is_usual, joined_sets, members_of
from spect.archives.summary import common
from spect.dataset.statistics import Measured, Statistics
from spect.errors import SoundError

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Chosen:
    """Items of several archives, in the order in which they go into a new one.

    An archive's own items come in their order.

    Shape: numbers [n] (which archive), items [n] (its item).
    """

    archives: tuple[Archive, ...]
    numbers: np.ndarray
    items: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    def among_all(self) -> np.ndarray:
        """Where the items stand when all of the first archive come first, then all of the second. Shape: [n]."""
        starts = np.cumsum([0, *(len(archive) for archive in self.archives)])
        return starts[self.numbers] + self.items

    def records(self) -> Iterator[dict[str, Any]]:
        """Read the items' records."""
        streams = [enumerate(archive.records()) for archive in self.archives]
        for number, item in zip(self.numbers.tolist(), self.items.tolist(), strict=True):
            yield next(record for index, record in streams[number] if index == item)


def collect(chosen: Chosen, dest: Path, progress: Progress = lambda pictures: None) -> str:
    """Write the archive `dest`, whole or not at all; its digest.

    Args:
        progress: called with the number of pictures done since the last call.

    Raises:
        SoundError: a picture is damaged, or label sets of one name don't fit each other.
    """
    layout, archives = chosen.archives[0].layout, chosen.archives
    among_all, sets = chosen.among_all(), joined_sets(archives)
    train = _train(archives)[among_all]
    counted, crcs = Statistics(layout.rows), np.empty(len(chosen), np.uint32)
    with ArchiveWriter(dest, layout) as writer:
        jobs = _blocks(chosen, train, writer.temporary)
        for block, found in ahead(_copied, jobs):
            crcs[block.at : block.at + block.count] = found.crcs
            for one in found.measured:
                counted.add(one)
            writer.begin_sync(block.count * layout.member_bytes)
            progress(block.count)
        arrays = {member: one.values(archives)[among_all] for one, member in members_of(sets)}
        told = [one.described(arrays[member], train, member) for one, member in members_of(sets)]
        labels = arrays.pop(zip64.LABELS, np.full(len(chosen), -1, np.int64))
        classes = next((one.classes for one in told if one.kind == CLASSES), ())
        summary: dict[str, Any] = {
            **common(archives),
            "classes": list(classes),
            "class_items": np.bincount(labels[labels >= 0], minlength=len(classes)).tolist(),
            "holdout_items": int((~train).sum()),
            "train_items": int(train.sum()),
            "statistics": counted.to_dict(),
            **({} if is_usual(sets) else {"label_sets": [one.to_dict() for one in told]}),
        }
        return writer.finish(crcs, labels, chosen.records(), summary, arrays)


def _train(archives: Sequence[Archive]) -> np.ndarray:
    """Whether all items, archive after archive, are trained on. Shape: [n] bool."""
    parts = []
    for archive in archives:
        parts.append(np.ones(len(archive), bool))
        parts[-1][archive.holdout] = False
    return np.concatenate(parts)


@dataclass(frozen=True)
class _Block:
    """Pictures that stand side by side in an archive and will in the new one.

    Args:
        first: item of `archive`; at: item of the new one; train: which of them are measured.
    """

    archive: Archive
    target: Path
    first: int
    at: int
    count: int
    train: np.ndarray


@dataclass(frozen=True)
class _Copied:
    crcs: np.ndarray
    measured: tuple[Measured, ...]


def _blocks(chosen: Chosen, train: np.ndarray, target: Path) -> Iterator[_Block]:
    numbers, items = chosen.numbers, chosen.items
    breaks = np.flatnonzero((np.diff(numbers) != 0) | (np.diff(items) != 1)) + 1
    most = max(1, BLOCK_BYTES // chosen.archives[0].layout.stride)
    for start, stop in zip([0, *breaks.tolist()], [*breaks.tolist(), len(items)], strict=True):
        for at in range(start, stop, most):
            count = min(most, stop - at)
            archive = chosen.archives[int(numbers[at])]
            yield _Block(archive, target, int(items[at]), at, count, train[at : at + count])


def _copied(block: _Block) -> tuple[_Block, _Copied]:
    """Copy a block to its place, under new names."""
    archive, layout = block.archive, block.archive.layout
    start, size = layout.data_offset(block.first), (block.count - 1) * layout.stride + layout.member_bytes
    data, crcs = bytearray(archive.read(start, start + size)), archive.crcs(block.first, block.first + block.count)
    found = []
    for number in range(block.count):
        at, name = number * layout.stride, zip64.item_name(block.first + number)
        member = memoryview(data)[at : at + layout.member_bytes]
        if zlib.crc32(member) != crcs[number] or member[: len(layout.header)] != layout.header:
            raise SoundError(f"{archive.path}: {name} is damaged; nothing was written (--verify names all that are)")
        if block.train[number]:
            values = np.frombuffer(member[len(layout.header) :], "<f4")
            found.append(figures(values.reshape(layout.rows, layout.frames, 4)))
        if number:
            data[at - layout.stride + layout.member_bytes : at] = layout.local_header(block.at + number, crcs[number])
    _write(block.target, layout, block.at, layout.local_header(block.at, int(crcs[0])), data)
    return block, _Copied(crcs, tuple(found))


def _write(target: Path, layout: Layout, at: int, head: bytes, data: bytearray) -> None:
    with open(target, "r+b", buffering=0) as file:
        write_at(file.fileno(), head, layout.header_offset(at))
        write_at(file.fileno(), memoryview(data), layout.data_offset(at))
