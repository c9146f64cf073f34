# SPDX-License-Identifier: Apache-2.0
"""Where sounds come from: a folder (recursive), here or at an address, a zip, or one file.

Each sound has a name relative to its root.

Names are '/'-separated and sorted, so that the same sounds make the same archive wherever they lie.
"""

import io
import os
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from spect.errors import SoundError
from spect.storage.address import Address
from spect.storage.errors import StorageError
from spect.storage.fetch import look
from spect.storage.send import listed, read

# fmt: off
READ: tuple[str, ...] = (
    ".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".caf", ".au",
    ".snd",
)
UNREAD: tuple[str, ...] = (".m4a", ".aac", ".wma", ".mp4", ".ape", ".wv", ".mpc", ".amr")  # not libsndfile's
# fmt: on


EXPECTED_BYTES = 1 << 24  # of a file's beginning: what follows, the system sees coming
LOOK_AHEAD = 2  # files


@dataclass(frozen=True)
class Source:
    """The root of a set of sounds; picklable, so that worker processes open the same."""

    path: Path
    kind: str  # "folder", "zip", "file" or "remote"
    address: Address | None = None

    def __str__(self) -> str:
        return str(self.address or self.path)

    def open(self, name: str) -> Path | BinaryIO:
        """Give what spect.audio reads for the sound `name`."""
        if self.kind == "folder":
            return self.path / name
        if self.kind == "file":
            return self.path
        try:
            data = io.BytesIO(
                _unpacked(self.path, name) if self.address is None else _downloaded(self.address.child(name))
            )
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            RuntimeError,
            NotImplementedError,
            OSError,
            EOFError,
        ) as error:
            raise SoundError(f"{name}: can't be unpacked ({error})") from None
        except StorageError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise SoundError(f"{name}: isn't there any more") from None
            raise  # a storage that can't be reached is no bad sound
        data.name = name  # spect.audio names a sound by it
        return data

    def expect(self, name: str) -> None:
        """Let the system begin to read a file that will be opened soon, where it can."""
        if self.kind != "folder" or not hasattr(os, "posix_fadvise"):
            return
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return  # which is told when it is opened to be read
        try:
            os.posix_fadvise(descriptor, 0, EXPECTED_BYTES, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(descriptor)

    def stamp(self, name: str) -> str:
        """Tell a sound's version without reading it: size and times, or what a zip's directory says of its bytes.

        Raises:
            OSError, StorageError: it isn't there.
        """
        if self.kind == "zip":
            entry = _zip(self.path).getinfo(name)
            return f"{entry.CRC:08x} {entry.file_size}"
        if self.address is not None:
            return look(self.address.child(name)).key
        found = (self.path if self.kind == "file" else self.path / name).stat()
        return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


@dataclass(frozen=True)
class Listing:
    """What stands under a source: sounds to read, sounds of kinds that can't be read, and how many other files."""

    source: Source
    names: tuple[str, ...]
    unreadable: tuple[str, ...]
    others: dict[str, int]


def find(path: Path | Address) -> Listing:
    """List the sounds of a folder, a zip or one file; of an address, those of a folder.

    Raises:
        SoundError: there is nothing at `path`, or no sound in it.
    """
    if isinstance(path, Address):
        names = (name for name in listed(path) if not any(_hidden(part) for part in name.split("/")))
        return _sorted(Source(Path(path.name), "remote", path), names)
    if not path.exists():
        raise SoundError(f"--source: {path} doesn't exist; give a folder of sounds, a zip of sounds or one sound file")
    if path.is_dir():
        return _sorted(Source(path, "folder"), _walk(path))
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return _sorted(Source(path, "zip"), _members(path))
    if path.suffix.lower() not in READ:
        raise SoundError(
            f"--source: {path} is not a sound; one file may be {', '.join(READ)}, several a folder or a zip"
        )
    return Listing(Source(path, "file"), (path.name,), (), {})


def _sorted(source: Source, names: Iterator[str]) -> Listing:
    sounds, unreadable, others = [], [], Counter[str]()
    for name in names:
        suffix = os.path.splitext(name)[1].lower()
        if suffix in READ:
            sounds.append(name)
        elif suffix in UNREAD:
            unreadable.append(name)
        else:
            others[suffix or "no suffix"] += 1
    if not sounds and not unreadable:
        found = f"{sum(others.values())} other files" if others else "nothing"
        raise SoundError(f"--source: {source} holds {found} and no sound; what goes in: {', '.join(READ)}")
    return Listing(source, tuple(sorted(sounds)), tuple(sorted(unreadable)), dict(sorted(others.items())))


def _walk(root: Path) -> Iterator[str]:
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if real in seen else [name for name in folders if not _hidden(name)]
        if real in seen:
            continue
        seen.add(real)
        for file in files:
            if not _hidden(file):
                yield (Path(folder) / file).relative_to(root).as_posix()


def _members(path: Path) -> Iterator[str]:
    try:
        entries = _zip(path).infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise SoundError(f"--source: {path} is not a whole zip ({error}); copy it again, or unpack it") from None
    for entry in entries:
        if not entry.is_dir() and not any(_hidden(part) for part in entry.filename.split("/")):
            yield entry.filename


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


@lru_cache(maxsize=1)
def _unpacked(path: Path, name: str) -> bytes:
    """Unpack a member; the last one is kept, since a long sound is read in many pieces one after the other."""
    return _zip(path).read(name)


@lru_cache(maxsize=1)
def _downloaded(address: Address) -> bytes:
    """Read a sound from elsewhere; the last one is kept, as of a zip."""
    return read(address)


@lru_cache(maxsize=1)
def _zip(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
