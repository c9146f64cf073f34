# SPDX-License-Identifier: Apache-2.0
"""Read an archive whole and say what isn't as it was written: every member's hash, shape, name and place."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from spect.archive import layout as zip64
from spect.archive.ahead import ahead, spans

if TYPE_CHECKING:
    from spect.archive.reader import Archive


@dataclass(frozen=True)
class Fault:
    """What is wrong with a member."""

    member: str
    reason: str


@dataclass(frozen=True)
class _Job:
    """Consecutive pictures, and the hashes of their values by their records; None where these can't be read."""

    first: int
    count: int
    hashes: tuple[str | None, ...]


def faults(archive: Archive, progress: Callable[[int], None] = lambda pictures: None) -> Iterator[Fault]:
    """Compare everything with the checksums (slow: the whole file); the tail first, then the pictures in order.

    Args:
        progress: called with the number of pictures done since the last call.
    """
    readable = True
    for name, digest in archive.summary["sha256"].items():
        if _hash(archive, name) != digest:
            readable = readable and name != zip64.ITEMS
            yield Fault(name, "its SHA-256 is another one than dataset.json tells")
    records = archive.records() if readable else iter(())
    for job, found in ahead(lambda job: (job, list(_of_pictures(archive, job))), _jobs(archive, records)):
        yield from found
        progress(job.count)
    if readable and next(records, None) is not None:
        yield Fault(zip64.ITEMS, f"it has more records than the {len(archive)} pictures")


def _hash(archive: Archive, name: str) -> str:
    digest, (at, size) = hashlib.sha256(), archive.place(name)
    for start in range(at, at + size, 1 << 22):
        digest.update(archive.read(start, min(start + (1 << 22), at + size)))
    return digest.hexdigest()


def _jobs(archive: Archive, records: Iterator[dict[str, Any]]) -> Iterator[_Job]:
    for first, count in spans(len(archive), archive.layout.stride):
        hashes = [record.get("sha256") for record in islice(records, count)]
        yield _Job(first, count, tuple(hashes + [None] * (count - len(hashes))))


def _of_pictures(archive: Archive, job: _Job) -> Iterator[Fault]:
    layout, first = archive.layout, job.first
    start, stop = layout.header_offset(first), layout.data_offset(first + job.count - 1) + layout.member_bytes
    block = memoryview(archive.read(start, stop))
    entries, crcs = archive.entries(first, first + job.count), archive.crcs(first, first + job.count)
    for number in range(job.count):
        index, name = first + number, zip64.item_name(first + number)
        at = layout.data_offset(index) - start
        crc, member = int(crcs[number]), block[at : at + layout.member_bytes]
        values = member[len(layout.header) :]
        expected = zip64.central_entry(name, layout.member_bytes, crc, layout.header_offset(index))
        head = block[layout.header_offset(index) - start : at]
        if entries[number * zip64.ITEM_ENTRY_BYTES :][: zip64.ITEM_ENTRY_BYTES] != expected:
            yield Fault(name, "the zip's directory tells another name, size or place")
        elif head != layout.local_header(index, crc):
            yield Fault(name, "its own header in the zip is another one than the directory's")
        elif member[: len(layout.header)] != layout.header:
            yield Fault(name, f"it isn't a float32 picture of {layout.rows}x{layout.frames}x4")
        elif zlib.crc32(member) != crc:
            yield Fault(name, "its values are damaged (CRC-32)")
        elif (digest := job.hashes[number]) is not None and hashlib.sha256(values).hexdigest() != digest:
            yield Fault(name, "its values are others than its record tells (SHA-256)")
        elif not np.isfinite(np.frombuffer(values, "<f4")).all():
            yield Fault(name, "it holds values that are not finite")
