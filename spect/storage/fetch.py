# SPDX-License-Identifier: Apache-2.0
"""Copies of files from elsewhere in this machine's cache: fetched once, whole or not at all, and used again.

A copy's place is named by its address and by what the storage says of its content (size, etag or date). A fetch that
was cut goes on where it stopped, in this process or in a later one; where a server can't begin in the middle, at 0.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from spect.files import sync_folder
from spect.storage.address import READ_ONLY, Address
from spect.storage.errors import StorageError
from spect.storage.retry import tried

CHUNK = 1 << 23  # bytes at a time
STAMPS = ("ETag", "etag", "md5Hash", "Last-Modified", "LastModified", "updated", "mtime", "created")
Shown = Callable[[str, int | None], AbstractContextManager[Callable[..., None]]]
"""Opens a bar: (what, bytes in all) -> a function that moves it on by bytes."""


@contextlib.contextmanager
def unseen(what: str, size: int | None) -> Iterator[Callable[..., None]]:
    """Show nothing."""
    yield lambda count=1: None


def cache_folder() -> Path:
    """Give this program's folder for what can be had again: $XDG_CACHE_HOME/sg3-spect, else ~/.cache/sg3-spect."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sg3-spect"


@dataclass(frozen=True)
class Remote:
    """A file elsewhere as it is now.

    Args:
        size: in bytes; None where the server doesn't tell.
        stamp: what changes when the content does.
        ranged: whether it may be read from the middle on.
    """

    address: Address
    size: int | None
    stamp: str
    ranged: bool

    @property
    def key(self) -> str:
        """A name for this content at this address."""
        text = json.dumps([self.address.url, self.size, self.stamp])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def look(address: Address) -> Remote:
    """Ask what is there.

    Raises:
        StorageError: nothing, or it can't be reached.
    """

    def ask(fresh: bool) -> Remote:
        system = address.system(fresh=fresh)
        system.invalidate_cache()
        info: dict[str, Any] = system.info(address.path)
        if info.get("type") == "directory":
            raise IsADirectoryError("it is a folder")
        stamp = json.dumps([str(info[name]) for name in STAMPS if info.get(name)])
        size = info.get("size")
        return Remote(
            address, None if size is None else int(size), stamp, bool(size) and info.get("partial") is not False
        )

    return tried(address, "read", ask)


def fetch(address: Address, shown: Shown = unseen, folder: Path | None = None) -> Path:
    """Bring a file into the cache, unless it is there; its path, with the name that it has elsewhere.

    Two processes that want the same file fetch it once.

    Raises:
        StorageError: it can't be read, doesn't fit on the disk, or changes all the time.
    """
    for _ in range(3):
        remote = look(address)
        place = (folder or cache_folder() / "data") / remote.key
        target, partial = place / address.name, place / f".{address.name}.part"
        if target.exists():
            return target
        place.mkdir(parents=True, exist_ok=True)
        with open(partial, "ab", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if target.exists():  # another process was quicker
                return target
            _fill(remote, file, shown)
            os.fsync(file.fileno())
            if look(address) == remote and remote.size in (None, file.seek(0, os.SEEK_END)):
                os.replace(partial, target)
                sync_folder(place)
                return target
            file.truncate(0)
        partial.unlink(missing_ok=True)
    raise StorageError(f"{address}: changes while it is read; run again when it stays as it is")


def _fill(remote: Remote, file: BinaryIO, shown: Shown) -> None:
    """Bring a file that holds the beginning to its end."""
    has = file.seek(0, os.SEEK_END)
    folder = Path(file.name).parent
    free = shutil.disk_usage(folder).free
    if remote.size is not None and remote.size - has > free:
        raise StorageError(
            f"{remote.address}: {remote.size / 1e9:.3g} GB, {free / 1e9:.3g} GB are free in {folder.parent}; set "
            "XDG_CACHE_HOME to a folder on a larger disk"
        )
    ranged = remote.ranged
    with shown(f"fetching {remote.address.name}", remote.size) as advance:
        advance(has)

        def go_on(fresh: bool) -> None:
            nonlocal ranged
            try:
                _copy(remote, file, ranged, fresh, advance)
            except ValueError:  # how fsspec says that a web server begins at 0 only
                if not ranged or remote.address.protocol not in READ_ONLY:
                    raise
                ranged = False
                _copy(remote, file, ranged, fresh, advance)

        tried(remote.address, "read", go_on, lambda: file.seek(0, os.SEEK_END))


def _copy(remote: Remote, file: BinaryIO, ranged: bool, fresh: bool, advance: Callable[..., None]) -> None:
    at = file.seek(0, os.SEEK_END)
    if not ranged:
        advance(-at)
        file.truncate(0)
        at = file.seek(0)
    if at == remote.size:
        return
    system = remote.address.system(fresh=fresh)
    with system.open(remote.address.path, "rb", **_how(remote, ranged)) as source:
        if at:
            source.seek(at)
        while at != remote.size and (data := source.read(CHUNK)):
            file.write(data)
            at += len(data)
            advance(len(data))
    if remote.size is not None and at < remote.size:
        raise ConnectionError(f"ended after {at} of {remote.size} bytes")


def _how(remote: Remote, ranged: bool) -> dict[str, Any]:
    if remote.address.protocol in ("sftp", "ssh"):
        return {}  # blocks of its own, many of them on the way at once
    return {"block_size": CHUNK, "cache_type": "none"} if ranged else {"block_size": 0}
