# SPDX-License-Identifier: Apache-2.0
"""Files written whole or not at all: a temporary neighbour, flushed to the disk, then renamed over the target.

Ctrl-C may come between any two calls. So whatever is made here is made inside the `try` that takes it away again.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

PARTIAL = ".part"


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name only when it is complete.

    A run that ends inside the block, by an error or a kill, leaves the target as it was. The file's mode
    follows the umask, as that of any new file.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}{PARTIAL}")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


class NewFolder:
    """A folder for what a block writes: made with those above it; where the block fails, what stayed empty goes again.

    Folders that were there before stay. A class, since a generator's context can be interrupted between making the
    folder and the block.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._made: list[Path] = []  # deepest first

    def __enter__(self) -> Path:
        try:
            self._made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
            self.path.mkdir(parents=True, exist_ok=True)
            return self.path
        except BaseException:
            self._remove()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._remove()

    def _remove(self) -> None:
        for folder in self._made:
            with contextlib.suppress(OSError):  # it holds something, or wasn't reached
                folder.rmdir()


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut, where the system lets folders be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_partials(folder: Path) -> None:
    """Remove what killed writers left in a folder and below it; only where nobody else writes."""
    for partial in folder.rglob(f".*{PARTIAL}"):
        partial.unlink(missing_ok=True)
