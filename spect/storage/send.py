# SPDX-License-Identifier: Apache-2.0
"""Files to elsewhere: whole or not at all."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spect.storage.address import ATOMIC, READ_ONLY, Address
from spect.storage.errors import StorageError
from spect.storage.retry import tried

PARTIAL = ".part"


def check_writable(address: Address, option: str) -> None:
    """Refuse an address that takes nothing, before any work.

    Raises:
        StorageError: it can only be read, or not be reached.
    """
    if address.protocol in READ_ONLY:
        raise StorageError(f"{option}={address}: {address.protocol}:// is for reading; give s3://, gs:// or sftp://")
    address.system()


def send(file: Path, address: Address) -> None:
    """Write a file to an address; what is there is replaced when the new one is whole.

    Raises:
        StorageError: it can't be written.
    """

    def put(fresh: bool) -> None:
        system = address.system(fresh=fresh)
        if address.protocol in ATOMIC:
            system.put_file(str(file), address.path)
            return
        partial = Address(f"{address.url}{PARTIAL}")
        system.makedirs(address.parent.path, exist_ok=True)
        try:
            system.put_file(str(file), partial.path)
            _rename(system, partial.path, address.path)
        except BaseException:
            _forget(system, partial.path)
            raise
        system.invalidate_cache()

    tried(address, "written", put)


def _rename(system: Any, old: str, new: str) -> None:
    system.mv(old, new)


def _forget(system: Any, path: str) -> None:
    try:
        system.rm_file(path)
    except Exception:
        return


def remove(address: Address) -> None:
    """Remove a file, if it is there.

    Raises:
        StorageError: it can't be removed.
    """

    def forget(fresh: bool) -> None:
        system = address.system(fresh=fresh)
        try:
            system.rm_file(address.path)
        except FileNotFoundError:
            return

    tried(address, "removed", forget)


def listed(address: Address) -> Sequence[str]:
    """Name all files below a folder, relative to it, sorted; none where there is no such folder.

    Raises:
        StorageError: it can't be reached.
    """

    def find(fresh: bool) -> list[str]:
        system = address.system(fresh=fresh)
        system.invalidate_cache()
        root = address.path.rstrip("/")
        try:
            found = list(_linked(system, f"{root}/")) if address.protocol in READ_ONLY else system.find(root)
        except FileNotFoundError:
            return []
        return sorted(name[len(root) + 1 :] for name in found if name.startswith(f"{root}/"))

    return tried(address, "listed", find)


def read(address: Address) -> bytes:
    """Read a small file whole, into memory.

    Raises:
        StorageError: it can't be read.
    """
    return bytes(tried(address, "read", lambda fresh: address.system(fresh=fresh).cat_file(address.path)))


def met(pattern: Address) -> list[Address]:
    """Find the files that a pattern meets, sorted.

    Raises:
        StorageError: none, or the place can't be reached.
    """
    path = pattern.path
    before = pattern.url[: len(pattern.url) - len(path)]
    found = tried(pattern, "listed", lambda fresh: pattern.system(fresh=fresh).glob(path))
    if not found:
        raise StorageError(f"{pattern}: no file has such a name")
    return [Address(before + name) for name in sorted(found)]


def _linked(system: Any, page: str) -> Iterator[str]:
    """Follow a web folder's links downwards."""
    for link in dict.fromkeys(system.ls(page, detail=False)):
        if link.startswith(page) and link != page:
            if link.endswith("/"):
                yield from _linked(system, link)
            elif "?" not in link:
                yield link
