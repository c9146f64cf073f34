# SPDX-License-Identifier: Apache-2.0
"""Write an archive whole or not at all: into a file beside the target, synced, then renamed over it.

The writer owns the temporary file; anyone who knows its path and the layout may put pictures into it, in any order and
from any process (`put`), because every picture's place is known beforehand. The writer appends the tail in the end.
While it lives, the writer holds a lock on its file: the next one removes what is there without a lock. A build that may
be continued hands in a file of its own instead, which stays (spect.dataset.parts).
"""

import fcntl
import hashlib
import json
import os
import secrets
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from spect.archive import layout as zip64
from spect.archive.layout import Layout
from spect.archive.places import copy, read_at, write_at
from spect.archive.tail import Tail, npy
from spect.errors import SoundError
from spect.files import sync_folder

SYNC_BYTES = 1 << 26


def sorted_json(value: Any) -> str:
    """Write JSON in one spelling only: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def checksums(layout: Layout, picture: np.ndarray) -> tuple[int, str]:
    """Give the crc32 of a picture's member and the sha256 (hex) of its values.

    Args:
        picture: [F, T, 4] float32, C order.
    """
    values = _values(layout, picture)
    return zlib.crc32(values, zlib.crc32(layout.header)), hashlib.sha256(values).hexdigest()


def put(descriptor: int, layout: Layout, index: int, picture: np.ndarray, crc: int, begin: int = 0) -> None:
    """Write picture `index`, [F, T, 4] float32, at its place in an open file that begins at the archive's `begin`."""
    values, at = _values(layout, picture), layout.header_offset(index) - begin
    head = layout.local_header(index, crc) + layout.header
    write_at(descriptor, head, at)
    write_at(descriptor, values, at + len(head))


def read_back(descriptor: int, layout: Layout, index: int, crc: int, digest: str) -> np.ndarray | None:
    """Read picture `index`, [F, T, 4] float32, out of an unfinished archive, if it is what `checksums` told of it."""
    picture = np.empty((layout.rows, layout.frames, 4), "<f4")
    head = layout.local_header(index, crc) + layout.header
    found = bytearray(len(head))
    if read_at(descriptor, [found, picture.data.cast("B")], layout.header_offset(index)) and found == head:
        return picture if checksums(layout, picture) == (crc, digest) else None
    return None


def _values(layout: Layout, picture: np.ndarray) -> memoryview:
    if picture.shape != (layout.rows, layout.frames, 4) or picture.dtype != np.float32:
        raise SoundError(
            f"a picture is {picture.dtype} {picture.shape}; this archive takes float32 "
            f"{(layout.rows, layout.frames, 4)}"
        )
    return np.ascontiguousarray(picture, dtype="<f4").data.cast("B")


class ArchiveWriter:
    """A context: leave it without `finish` (an error, Ctrl-C) and nothing stays behind, the old target untouched."""

    def __init__(self, path: Path, layout: Layout, kept: Path | None = None) -> None:
        """Choose the file to write into.

        Args:
            kept: one that the caller locks and that stays where it isn't finished; it may hold pictures already.
        """
        self.path, self.layout = Path(path), layout
        self.temporary = kept or self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.tmp")
        self._kept = kept is not None
        self._file: BinaryIO | None = None
        self._unsynced, self._syncing = 0, ThreadPoolExecutor(1)
        self._sync: Future[None] | None = None

    def __enter__(self) -> Self:
        try:
            remove_stale(self.path)
            if self._kept:
                self.temporary.touch()
                self._file = open(self.temporary, "r+b", buffering=0)
                return self
            self._file = open(self.temporary, "wb", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            return self
        except BaseException:  # Ctrl-C has its moment here too, when no __exit__ would follow
            self.discard()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def discard(self) -> None:
        """Remove what isn't finished; nothing where `finish` was done.

        A block that ends without `finish` calls it last: a Ctrl-C on the way to __exit__ finds nothing to leave then.
        """
        if not self._kept:
            self.temporary.unlink(missing_ok=True)
        self._syncing.shutdown()
        if self._file is not None:
            self._file.close()
            self._file = None

    def put(self, index: int, picture: np.ndarray) -> tuple[int, str]:
        """Write a picture from this process; its `checksums`."""
        assert self._file is not None
        crc, digest = checksums(self.layout, picture)
        put(self._file.fileno(), self.layout, index, picture, crc)
        return crc, digest

    def join(self, part: Path, offset: int) -> None:
        """Copy a file of pictures, as `put` made it with begin=offset, to its place; through the kernel alone."""
        assert self._file is not None
        with open(part, "rb", buffering=0) as opened:
            copy(opened.fileno(), self._file.fileno(), offset)

    def begin_sync(self, count: int) -> None:
        """Tell how many bytes were put since the last call: the disk takes them while more are made, not in the end."""
        assert self._file is not None
        self._unsynced += count
        if self._unsynced >= SYNC_BYTES and (self._sync is None or self._sync.done()):
            if self._sync is not None:
                self._sync.result()  # where a full disk may come to light
            self._unsynced, self._sync = 0, self._syncing.submit(os.fsync, self._file.fileno())

    def finish(
        self,
        crcs: Sequence[int] | np.ndarray,
        labels: np.ndarray,
        items: Iterable[Mapping[str, Any]],
        summary: Mapping[str, Any],
        more: Mapping[str, np.ndarray] | None = None,
    ) -> str:
        """Append labels, items and summary, sync, and rename over the target.

        Args:
            crcs: of each picture, in order (`checksums`).
            labels: [n] integer classes, -1 for none.
            items: one record a picture, in order; written as they come.
            summary: what dataset.json holds beside kind, version, counts and hashes.
            more: further label sets by the names of their members, [n] integers or [n, w] float32.

        Returns:
            The archive's digest: sha256 of dataset.json, which holds the hashes of labels and items.
        """
        assert self._file is not None
        tail = Tail(self._file.fileno(), self.layout, len(crcs))
        arrays = {zip64.LABELS: np.asarray(labels, np.int64), **(more or {})}
        hashes = {name: tail.add(name, npy(values)) for name, values in arrays.items()}
        hashes[zip64.ITEMS] = tail.add(zip64.ITEMS, (f"{sorted_json(item)}\n".encode("ascii") for item in items))
        body = {"kind": zip64.KIND, "version": zip64.VERSION, "items": len(crcs), "sha256": hashes, **summary}
        text = (json.dumps(body, sort_keys=True, indent=1, allow_nan=False) + "\n").encode("ascii")
        digest = tail.add(zip64.SUMMARY, [text])
        tail.close(crcs)
        if self._sync is not None:
            self._sync.result()
        os.fsync(self._file.fileno())
        os.replace(self.temporary, self.path)
        self._file.close()
        self._file = None
        sync_folder(self.path.parent)
        return digest


def remove_stale(path: Path) -> list[Path]:
    """Remove temporary files that a killed writer of this target has left (nobody holds their lock)."""
    removed = []
    for file in path.parent.glob(f".{_plain(path.name)}.*.tmp"):
        with open(file, "rb") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            file.unlink(missing_ok=True)
            removed.append(file)
    return removed


def _plain(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
