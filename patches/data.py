# SPDX-License-Identifier: Apache-2.0
"""What --data names, as files of this machine: an archive, several, or a pattern of names, here or at an address.

What lies at an address is fetched once, into the cache.
"""

import glob
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from patches.console import progress
from spect.archives.opening import AnyArchive, is_several, open_archives, paths_of
from spect.storage.address import Address, is_address
from spect.storage.fetch import fetch
from spect.storage.send import met


def open_data(data: str | Path) -> AnyArchive:
    """Open the archive or archives that --data names.

    Raises:
        SoundError: what is wrong with them, in one line.
    """
    return open_archives(here(data))


def here(data: str | Path) -> str:
    """Give a text that names the same on this machine's disk.

    Raises:
        SoundError, StorageError: a pattern that meets nothing, or an address that can't be read.
    """
    if not has_address(data):
        return ",".join(str(path) for path in paths_of(data))
    found: list[Path] = []
    for part in str(data).split(","):
        found += map(fetched, _addresses(part)) if is_address(part) else paths_of(part)
    return ",".join(map(str, found))


def _addresses(part: str) -> list[Address]:
    return met(Address(part)) if glob.has_magic(part.partition("?")[0]) else [Address(part)]


def has_address(data: str | Path) -> bool:
    """Whether some of the data lie elsewhere."""
    return any(is_address(part) for part in str(data).split(",")) and not isinstance(data, Path)


def fetched(address: Address) -> Path:
    """Bring a file into the cache, with a bar."""
    return fetch(address, _shown)


def _shown(what: str, size: int | None) -> AbstractContextManager[Callable[..., None]]:
    return progress(what, size, "bytes")


def absolute(data: str | Path) -> str:
    """Give a text that names the same for a process that works in another folder."""
    return ",".join(str(Path(name).absolute()) for name in here(data).split(","))


def is_there(data: str | Path) -> bool:
    """Whether there is something to open; what isn't is told where it is opened."""
    return has_address(data) or is_several(data) or Path(data).is_file()


def data_name(data: str | Path) -> str:
    """Name data in few letters, for a run's folder: the file's name, that of the first with how many more, a pattern's.

    Nothing is looked for: a run is named the same wherever its data are.
    """
    names = str(data).split(",")
    stem = Path(Address(names[0]).name if is_address(names[0]) else names[0]).stem
    if set("*?[") & set(stem):
        stem = re.sub(r"[*?\[\]!]+", "", stem) or Path(names[0]).parent.name or "data"
    return stem + f"+{len(names) - 1}" * (len(names) > 1 and not Path(data).exists())
