# SPDX-License-Identifier: Apache-2.0
"""The journal of an unfinished archive: a line of JSON for each finished piece, so that a later build can take it over.

A piece's key is the hash of all that decides over its bytes: its cuts, its source's size and times, the options, the
program's and its libraries' versions. A line tells the place (the number of the first canvas), the key, and each
picture's checksums and record. A later line for the same place stands for the earlier one.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy
import soundfile
import soxr
import torch

from spect.archive.writer import sorted_json
from spect.dataset.options import Preparation
from spect.dataset.plan import Piece
from spect.dataset.work import Earlier, Made

VERSION = 1  # of these lines, and of the pictures that the same options give
_PROGRAM = (VERSION, numpy.__version__, torch.__version__, soxr.__version__, soundfile.__libsndfile_version__)


def key_of(preparation: Preparation, piece: Piece) -> str:
    """Hash all that decides over a piece's pictures and records."""
    return hashlib.sha256(repr((_PROGRAM, preparation, piece)).encode("ascii", "backslashreplace")).hexdigest()[:32]


class Journal:
    """The lines of an open file, which the caller has locked. Only the places of lines are held in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()
        self._lines: dict[int, tuple[int, int, str, int]] = {}  # by first canvas: offset, bytes, key, canvases

    def __bool__(self) -> bool:
        return bool(self._lines)

    def load(self, path: Path) -> None:
        """Take over the lines that are there; what a kill has cut off in the middle of a line goes."""
        end = 0
        for offset, size, entry in lines_of(path):
            self._lines[entry["first"]] = offset, size, entry["key"], len(entry["crcs"])
            end = offset + size
        os.ftruncate(self._descriptor, end)

    def clear(self) -> None:
        """Forget all."""
        self._lines.clear()
        os.ftruncate(self._descriptor, 0)

    def fitting(self, keys: Iterable[tuple[int, str]]) -> tuple[int, int]:
        """Count the canvases of finished pieces: of those that are wanted, (first canvas, key), and of all."""
        wanted = dict(keys)
        fits = sum(count for first, (_, _, key, count) in self._lines.items() if wanted.get(first) == key)
        return fits, sum(count for _, _, _, count in self._lines.values())

    def holds(self, first: int, key: str) -> bool:
        """Tell whether this very piece is finished."""
        return first in self._lines and self._lines[first][2] == key

    def earlier(self, first: int, key: str) -> Earlier | None:
        """Give what is told of a piece, if this very piece is finished."""
        if not self.holds(first, key):
            return None
        offset, size, _, _ = self._lines[first]
        entry = json.loads(os.pread(self._descriptor, size, offset))
        return Earlier(entry["crcs"], entry["records"])

    def note(self, made: Made, key: str) -> None:
        """Enter a finished piece, whose pictures stand at their places."""
        entry = {"first": made.piece.first, "key": key, "crcs": made.crcs, "records": made.records}
        line = f"{sorted_json(entry)}\n".encode("ascii")
        offset = os.fstat(self._descriptor).st_size
        if os.write(self._descriptor, line) < len(line):  # a full disk, which the pictures will meet too
            os.ftruncate(self._descriptor, offset)
            return
        self._lines[made.piece.first] = offset, len(line), key, len(made.crcs)


def lines_of(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Read the whole lines of a journal: offset, bytes, and what each tells; up to the first that isn't one."""
    offset = 0
    with open(path, "rb") as file:
        for line in file:
            try:
                entry = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                return
            if not isinstance(entry, dict) or not {"first", "key", "crcs", "records"} <= entry.keys():
                return
            yield offset, len(line), entry
            offset += len(line)
