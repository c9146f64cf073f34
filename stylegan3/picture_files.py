# SPDX-License-Identifier: Apache-2.0
"""Files of a picture dataset, in a zip or a folder, and the labels beside them."""

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stylegan3.errors import NetworkError


class Folder:
    """Files under a folder by their relative names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        found = sorted(file for file in path.rglob("*") if file.is_file())
        self.sizes = {file.relative_to(path).as_posix(): file.stat().st_size for file in found}
        self.digest = _digest(self.sizes)

    def read(self, name: str, count: int = -1) -> bytes:
        try:
            with (self.path / name).open("rb") as file:
                return file.read(count)
        except OSError as error:
            raise NetworkError(f"{self.path}: {name} can't be read ({error.strerror or error})") from error


class Zip:
    """Members of a zip by name: one handle a process, its reads one at a time (decoding is not)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()
        members = [info for info in self._zip.infolist() if not info.is_dir()]
        self.sizes = {info.filename: info.file_size for info in members}
        self.digest = _digest({info.filename: [info.file_size, info.CRC] for info in members})

    def read(self, name: str, count: int = -1) -> bytes:
        if self._process != os.getpid():  # a forked child shares the parent's place in the file
            self._open()
        try:
            with self._lock, self._zip.open(name) as file:
                return file.read(count)
        except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, KeyError) as error:
            raise NetworkError(f"{self.path}: {name} can't be read ({str(error)[:100]})") from error

    def _open(self) -> None:
        try:
            self._zip, self._lock, self._process = zipfile.ZipFile(self.path), threading.Lock(), os.getpid()
        except (OSError, zipfile.BadZipFile) as error:
            raise NetworkError(f"{self.path}: is not a zip of pictures, or damaged ({str(error)[:100]})") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "sizes": self.sizes, "digest": self.digest, "_process": 0}


def open_files(path: Path) -> Folder | Zip:
    """Open a folder or zip for reading by member name."""
    if not path.exists():
        raise NetworkError(f"{path}: does not exist; a zip or folder of PNG pictures is needed")
    return Folder(path) if path.is_dir() else Zip(path)


def _digest(members: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(members, sort_keys=True).encode()).hexdigest()


MAX_CLASSES = 65536  # a label is a one-hot vector: more classes than this are a mistake


@dataclass(frozen=True)
class Labels:
    """Class numbers [n] int64, or vectors [n, K] float32, of which `size` is K."""

    values: np.ndarray
    size: int

    @classmethod
    def none(cls, items: int) -> "Labels":
        """No labels: vectors of length 0."""
        return cls(np.zeros((items, 0), np.float32), 0)

    def vectors(self, items: np.ndarray) -> np.ndarray:
        """Label vectors, one-hot where there are class numbers. Shape: [n] -> [n, K], float32."""
        chosen = self.values[items]
        return (chosen[:, None] == np.arange(self.size)).astype(np.float32) if chosen.ndim == 1 else chosen


def read_labels(files: Folder | Zip, names: list[str]) -> Labels:
    """The labels that dataset.json holds for `names`.

    Raises:
        NetworkError: there are none, one is missing (named), or they are neither class numbers nor equal lists.
    """
    table = _label_table(files.path, files)
    missing = next((name for name in names if name not in table), None)
    if missing is not None:
        raise NetworkError(f"{files.path}: dataset.json has no label for {missing}; each picture needs one")
    return _labels(files.path, [table[name] for name in names])


def _label_table(path: Path, files: Folder | Zip) -> dict[str, Any]:
    if "dataset.json" not in files.sizes:
        raise NetworkError(f"{path}: labels are asked for and it has no dataset.json; train without --cond")
    try:
        labels = json.loads(files.read("dataset.json")).get("labels")
        table = None if labels is None else {str(name).replace("\\", "/"): label for name, label in labels}
    except (ValueError, TypeError, AttributeError) as error:
        raise NetworkError(f"{path}: dataset.json can't be read ({str(error)[:100]})") from error
    if not table:
        raise NetworkError(f"{path}: labels are asked for and dataset.json has none; train without --cond")
    return table


def _labels(path: Path, found: list[Any]) -> Labels:
    if all(type(label) is int and 0 <= label < MAX_CLASSES for label in found):
        return Labels(np.asarray(found, np.int64), max(found) + 1)
    lengths = {len(label) if isinstance(label, list) else 0 for label in found}
    if len(lengths) == 1 and 0 not in lengths and all(type(v) in (int, float) for label in found for v in label):
        return Labels(np.asarray(found, np.float32), lengths.pop())
    raise NetworkError(f"{path}: labels in dataset.json must be all class numbers from 0, or all lists of equal length")
