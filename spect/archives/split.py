# SPDX-License-Identifier: Apache-2.0
"""One archive as several: by source file, never by the clips of one, chosen by the hash of its name.

The hash's second eight bytes choose, those of --holdout are its first: so each part holds out its share. Classes and
their numbers stay as they are, though a part may have no sound of one: networks trained on two parts have one set.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from spect.archive.reader import Archive
from spect.archives.collect import Chosen, Progress, collect
from spect.errors import SoundError


@dataclass(frozen=True)
class Part:
    """One of the new archives."""

    path: Path
    digest: str
    items: int
    files: int


def parse_shares(text: str) -> tuple[float, ...]:
    """Read shares as 0.9/0.1, or 90/10; they are brought to a sum of 1.

    Raises:
        SoundError: anything else.
    """
    try:
        shares = [float(part) for part in text.split("/")]
    except ValueError:
        shares = []
    if len(shares) < 2 or not all(0 < share < float("inf") for share in shares):
        raise SoundError(f"--split: got {text!r}; allowed are two or more shares above 0, such as 0.9/0.1")
    return tuple(share / sum(shares) for share in shares)


def part_of(source: str, shares: Sequence[float]) -> int:
    """Choose the part that a file's items go into, by its name alone."""
    digest = hashlib.sha256(source.encode("utf-8", "surrogateescape")).digest()
    place = int.from_bytes(digest[8:16], "big") / 2**64
    return int(np.searchsorted(np.cumsum(shares[:-1]), place, side="right"))


def split(
    archive: Archive, shares: Sequence[float], dests: Sequence[Path], progress: Progress = lambda pictures: None
) -> list[Part]:
    """Write one archive a share: all of them, or none.

    Raises:
        SoundError: a part gets no file, or a picture is damaged.
    """
    choose = lru_cache(maxsize=1)(part_of)
    parts, files, last = np.empty(len(archive), np.int16), [0] * len(shares), None
    for item, record in enumerate(archive.records()):
        source = str(record["source"])
        parts[item] = choose(source, tuple(shares))
        files[parts[item]] += source != last
        last = source
    if 0 in files:
        raise SoundError(
            f"--split: part {files.index(0) + 1} gets none of the {sum(files)} files of {archive.path}; give it a "
            "larger share, or split an archive of more files"
        )
    return _written(archive, [np.flatnonzero(parts == number) for number in range(len(shares))], files, dests, progress)


def _written(
    archive: Archive, items: Sequence[np.ndarray], files: Sequence[int], dests: Sequence[Path], progress: Progress
) -> list[Part]:
    whole, digests = [dest.with_name(f".{dest.name}.whole") for dest in dests], []
    try:
        for place, own in zip(whole, items, strict=True):
            digests.append(collect(Chosen((archive,), np.zeros(len(own), np.int32), own), place, progress))
        for place, dest in zip(whole, dests, strict=True):
            os.replace(place, dest)
    finally:
        for place in whole:
            place.unlink(missing_ok=True)
    rows = zip(dests, digests, items, files, strict=True)
    return [Part(dest, digest, len(own), count) for dest, digest, own, count in rows]
