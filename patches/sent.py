# SPDX-License-Identifier: Apache-2.0
"""A folder on the way to an address: filled here, sent when it is whole."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spect.storage.address import Address, is_address
from spect.storage.errors import StorageError
from spect.storage.fetch import cache_folder
from spect.storage.send import check_writable, send


@contextmanager
def on_the_way(address: Address, option: str, *, kept: str = "") -> Iterator[Path]:
    """Give an empty folder; what is in it at the end is sent, and the folder goes. What isn't sent stays.

    Args:
        kept: the ending of what an interrupted process may go on with; it stays in the folder.

    Raises:
        StorageError: the address takes nothing, or can't be reached; where the files are then.
    """
    check_writable(address, option)
    folder = cache_folder() / "made" / hashlib.sha256(address.url.encode()).hexdigest()[:16]
    _clear(folder, kept)  # of a process that was killed
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            try:
                send(path, address.child(path.relative_to(folder).as_posix()))
            except StorageError as error:
                raise StorageError(f"{error}; what was made is whole in {folder}") from error
    except StorageError:
        raise
    except BaseException:
        _clear(folder, kept)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path, kept: str) -> None:
    """Empty a folder but for what ends so; remove it where nothing stays."""
    for path in folder.glob("*") if kept else ():
        if path.is_file():
            path.unlink()
        elif not path.name.endswith(kept):
            shutil.rmtree(path, ignore_errors=True)
    if not kept or not any(folder.glob("*")):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def sent(outdir: str | None, echo: Callable[[str], None]) -> Iterator[tuple[Path | None, Callable[[str], None]]]:
    """Give the folder for what goes to --outdir, and what tells lines: they name the address where it is one.

    Raises:
        StorageError: it takes nothing, or can't be reached.
    """
    if outdir is None or not is_address(outdir):
        yield None if outdir is None else Path(outdir), echo
        return
    with on_the_way(Address(outdir), "--outdir") as folder:
        yield folder, lambda line: echo(line.replace(str(folder), outdir))
