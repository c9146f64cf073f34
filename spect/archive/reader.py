# SPDX-License-Identifier: Apache-2.0
"""Read an archive by memory map: no copy, no decompression; workers and threads share pages.

Opening costs the same for ten items and for a million: the end of the file is read, the rest is arithmetic. Records
are scanned once, in blocks, when one is first asked for; what stays in memory is eight bytes an item.
Canvas [4, F, T] float32 (Re M, Im M, Re S, Im S), row 0 the highest frequency; in the file [F, T, 4].
"""

import hashlib
import json
import mmap
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from spect.archive import layout as zip64
from spect.archive.faults import faults
from spect.archive.foreign import describe
from spect.archive.layout import KIND, VERSION, Layout
from spect.archive.records import line_blocks, scan
from spect.archive.sets import CLASSES, PRIMARY, LabelSet
from spect.errors import SoundError

BLOCK = 1 << 22  # bytes read at a time


class Archive:
    """A dataset of canvases; open one with `Archive.open(path)`. Reads are thread-safe; it pickles as its path."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            with open(self.path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            raise SoundError(describe(self.path)) from None
        self._members = self._tail()
        text = self.member(zip64.SUMMARY)
        self.digest: str = hashlib.sha256(text).hexdigest()
        self.summary: dict[str, Any] = json.loads(text)
        if self.summary["version"] > VERSION:
            raise SoundError(
                f"{self.path}: an archive of version {self.summary['version']}; this program reads up to "
                f"{VERSION}: update it, or build the archive again"
            )
        self.representation_dict: dict[str, Any] = self.summary["representation"]
        self.layout = Layout(self.representation_dict["rows"], self.representation_dict["frames"])
        self._check_pictures()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open an archive.

        Raises:
            SoundError: the file is not such an archive; the message says what it is instead.
        """
        return cls(Path(path))

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.digest)

    def __len__(self) -> int:
        return int(self.summary["items"])

    @cached_property
    def representation(self) -> Any:
        """The spect representation that turns its canvases back into sound."""
        from spect import cmyk, representation  # torch is not needed to read pictures

        assert cmyk.Cmyk.name in representation.REPRESENTATIONS
        return representation.from_dict(self.representation_dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted; empty without labels."""
        return tuple(self.summary["classes"])

    @property
    def statistics(self) -> dict[str, Any]:
        """Figures measured over the train split while it was built: see spect.dataset.statistics."""
        return dict(self.summary["statistics"])

    @cached_property
    def labels(self) -> np.ndarray:
        """Class of each item, -1 for none. Shape: [n] int64, mapped, read-only."""
        return self._mapped(zip64.LABELS, np.dtype("<i8"), len(self)).astype(np.int64, copy=False)

    @cached_property
    def label_sets(self) -> tuple[LabelSet, ...]:
        """What its items are labelled with, in the order they were given; none without labels."""
        listed = self.summary.get("label_sets")
        if listed is not None:
            return tuple(LabelSet.from_dict(one) for one in listed)
        without = int((self.labels < 0).sum()) if self.classes else 0
        return (LabelSet(PRIMARY, "classes", self.classes, without=without),) if self.classes else ()

    def label_values(self, name: str) -> np.ndarray:
        """Map the labels of a set. Shape: [n] int64, -1 for none, or [n, w] float32, NaN for none; read-only.

        Raises:
            SoundError: there is no set of that name.
        """
        found = next((one for one in self.label_sets if one.name == name), None)
        if found is None:
            there = ", ".join(one.name for one in self.label_sets) or "none at all"
            raise SoundError(f"{self.path}: no label set {name!r}; there is {there}")
        if found.kind == CLASSES:
            return self._mapped(found.member, np.dtype("<i8"), len(self)).astype(np.int64, copy=False)
        values = self._mapped(found.member, np.dtype("<f4"), len(self) * found.width)
        return values.reshape(len(self), found.width)

    def _mapped(self, member: str, dtype: np.dtype[Any], count: int) -> np.ndarray:
        """Map the values of an npy, which stand at its end."""
        offset, size = self._members[member]
        return np.frombuffer(self._map, dtype, count, offset + size - dtype.itemsize * count)

    @property
    def holdout(self) -> np.ndarray:
        """Indices of items that training never sees. Shape: [h] int64."""
        return self._scanned[1] if self.summary["holdout_items"] else np.empty(0, np.int64)

    @cached_property
    def train(self) -> np.ndarray:
        """Indices of items that training reads. Shape: [n - h] int64."""
        seen = np.ones(len(self), bool)
        seen[self.holdout] = False
        return np.flatnonzero(seen)

    def raw(self, index: int) -> np.ndarray:
        """Map a picture as it is stored. Shape: [F, T, 4] float32, read-only."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        layout = self.layout
        start = layout.data_offset(index % len(self)) + len(layout.header)
        values = np.frombuffer(self._map, np.dtype("<f4"), layout.data_bytes // 4, start)
        return values.reshape(layout.rows, layout.frames, 4)

    def canvases(self, indices: Any) -> np.ndarray:
        """Copy canvases, channels first. Shape: [n, 4, F, T] float32."""
        return gathered(self.layout, indices, self.raw)

    def item(self, index: int) -> dict[str, Any]:
        """Read an item's record: source, start_samples, samples, split, sha256, what was done to it."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        index %= len(self)
        ends, (offset, _) = self._scanned[0], self._members[zip64.ITEMS]
        start = int(ends[index - 1]) + 1 if index else 0
        record: dict[str, Any] = json.loads(self._map[offset + start : offset + int(ends[index])])
        return record

    def records(self) -> Iterator[dict[str, Any]]:
        """Read all items' records in order, a block at a time."""
        for block in self._line_blocks():
            yield from map(json.loads, block.splitlines())

    def sources(self, indices: np.ndarray) -> list[str]:
        """Tell the files that items come from. Shape: int64 [n]."""
        return [str(self.item(index)["source"]) for index in np.asarray(indices).tolist()]

    @cached_property
    def _scanned(self) -> tuple[np.ndarray, np.ndarray]:
        """Where each record's line ends, and which items are held out. Shape: int64 [n], [h]."""
        return scan(self._line_blocks())

    def _line_blocks(self) -> Iterator[bytes]:
        start, size = self._members[zip64.ITEMS]
        return line_blocks(self.read, start, start + size, BLOCK)

    def read(self, start: int, stop: int) -> bytes:
        """Copy bytes of the file, and keep no pages of them: what is read through once doesn't fill a process."""
        data = self._map[start:stop]
        if hasattr(mmap, "MADV_DONTNEED") and stop > start:
            first = start // mmap.PAGESIZE * mmap.PAGESIZE
            self._map.madvise(mmap.MADV_DONTNEED, first, min(stop, len(self._map)) - first)
        return data

    def member(self, name: str) -> bytes:
        """Read a member of the tail whole."""
        offset, size = self._members[name]
        return self._map[offset : offset + size]

    def entries(self, start: int, stop: int) -> bytes:
        """Copy the directory's entries of pictures."""
        first, size = self._directory[0], zip64.ITEM_ENTRY_BYTES
        return self.read(first + start * size, first + stop * size)

    def crcs(self, start: int, stop: int) -> np.ndarray:
        """Give the checksums of pictures by the directory. Shape: -> [stop - start] uint32."""
        return zip64.read_crcs(self.entries(start, stop))

    def place(self, name: str) -> tuple[int, int]:
        """Tell where the data of a member of the tail start, and how many bytes they are."""
        return self._members[name]

    def verify(self) -> None:
        """Read everything and compare all checksums (slow: the whole file).

        Raises:
            SoundError: naming the first member that differs.
        """
        for fault in faults(self):
            raise SoundError(f"{self.path}: {fault.member} is damaged; build the archive again")

    # reading the end

    def _tail(self) -> dict[str, tuple[int, int]]:
        end = zip64.read_end(self._map[-zip64.END_BYTES :]) if len(self._map) >= zip64.END_BYTES else None
        if end is None:
            raise SoundError(describe(self.path))
        count, start, size = end
        stop = start + size
        last = zip64.read_entries(self._map[max(start, stop - zip64.SUMMARY_ENTRY_BYTES) : stop])
        if stop + zip64.END_BYTES != len(self._map) or [entry[0] for entry in last] != [zip64.SUMMARY]:
            raise SoundError(describe(self.path))
        self._directory = (start, stop)
        items = self._count(last[0])
        entries = zip64.read_entries(self._map[start + items * zip64.ITEM_ENTRY_BYTES : stop])
        if len(entries) != count - items:
            raise SoundError(describe(self.path))
        return {name: (zip64.data_after(offset, name), size) for name, size, _, offset in entries}

    def _count(self, entry: tuple[str, int, int, int]) -> int:
        name, size, crc, offset = entry
        start = zip64.data_after(offset, name)
        text = self._map[start : start + size]
        if zlib.crc32(text) != crc:
            raise SoundError(describe(self.path))
        summary = json.loads(text)
        if not isinstance(summary, dict) or summary.get("kind") != KIND:
            raise SoundError(describe(self.path))
        return int(summary["items"])

    def _check_pictures(self) -> None:
        start, layout = self._directory[0], self.layout
        for index in {0, len(self) - 1} if len(self) else set():
            at = start + index * zip64.ITEM_ENTRY_BYTES
            entry = zip64.read_entries(self._map[at : at + zip64.ITEM_ENTRY_BYTES])
            name, size, _, offset = entry[0] if entry else ("", 0, 0, 0)
            if (name, size, offset) != (zip64.item_name(index), layout.member_bytes, layout.header_offset(index)):
                raise SoundError(describe(self.path))


def _reopen(path: Path, digest: str) -> Archive:
    archive = Archive.open(path)
    if archive.digest != digest:
        raise SoundError(f"{path}: the archive was replaced while it was in use; start again")
    return archive


def gathered(layout: Layout, indices: Any, raw: Callable[[int], np.ndarray]) -> np.ndarray:
    """Copy the pictures that `raw` maps, [F, T, 4], channels first. Shape: [n, 4, F, T] float32."""
    wanted = np.asarray(indices, np.int64).reshape(-1)
    out = np.empty((len(wanted), 4, layout.rows, layout.frames), np.float32)
    for place, index in zip(out, wanted, strict=True):
        place[...] = raw(int(index)).transpose(2, 0, 1)
    return out
