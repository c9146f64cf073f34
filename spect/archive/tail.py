# SPDX-License-Identifier: Apache-2.0
"""What stands behind an archive's pictures, written in a stream: a million records are never in memory at once.

A member's data come first, then the header before them, which tells their size and checksum.
"""

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from spect.archive import layout as zip64
from spect.archive.layout import Layout
from spect.archive.places import write_at

BLOCK = 1 << 20  # bytes written at a time


def npy(values: np.ndarray) -> Iterator[bytes | memoryview]:
    """Give what numpy.save writes, without a copy of it: float32 for numbers, int64 for integers."""
    ordered = np.ascontiguousarray(values, "<f4" if values.dtype.kind == "f" else "<i8")
    yield zip64.npy_header(ordered.shape, ordered.dtype.str)
    if ordered.size:
        yield ordered.data.cast("B")


def _blocks(parts: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Join small parts until they are worth a call."""
    gathered = bytearray()
    for part in parts:
        if len(part) >= BLOCK:
            yield bytes(gathered)
            yield part
            gathered.clear()
            continue
        gathered += part
        if len(gathered) >= BLOCK:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


class Tail:
    """Appends members behind `items` pictures of an open file, and closes the zip."""

    def __init__(self, descriptor: int, layout: Layout, items: int) -> None:
        self._descriptor, self._layout, self._items = descriptor, layout, items
        self._at = layout.header_offset(items)
        self._entries: list[bytes] = []
        os.ftruncate(descriptor, self._at)

    def add(self, name: str, parts: Iterable[bytes | memoryview]) -> str:
        """Write a member; the sha256 (hex) of its data."""
        start = zip64.data_after(self._at, name)
        at, crc, digest = start, 0, hashlib.sha256()
        for block in _blocks(parts):
            write_at(self._descriptor, block, at)
            at, crc = at + len(block), zlib.crc32(block, crc)
            digest.update(block)
        write_at(self._descriptor, zip64.local_header(name, at - start, crc, start - self._at), self._at)
        self._entries.append(zip64.central_entry(name, at - start, crc, self._at))
        self._at = at
        return digest.hexdigest()

    def close(self, crcs: Sequence[int] | np.ndarray) -> None:
        """Write the directory: the pictures with these checksums, then what was added."""
        at = self._at
        for block in _blocks(self._directory(crcs)):
            write_at(self._descriptor, block, at)
            at += len(block)
        end = zip64.end_records(self._items + len(self._entries), self._at, at - self._at)
        write_at(self._descriptor, end, at)

    def _directory(self, crcs: Sequence[int] | np.ndarray) -> Iterator[bytes]:
        size, offset_of = self._layout.member_bytes, self._layout.header_offset
        for index in range(self._items):
            yield zip64.central_entry(zip64.item_name(index), size, int(crcs[index]), offset_of(index))
        yield from self._entries
