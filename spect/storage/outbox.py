# SPDX-License-Identifier: Apache-2.0
"""A folder that appears elsewhere too, file by file as they become whole, while whoever fills it works on.

A thread sends what is new or has changed, oldest first, and takes away there what was taken away here. What was sent
stands in `.sent.json` in the folder, so that nothing is sent twice. A failure is told, ends nothing, and is tried again
with the next call. Files whose names begin with a dot, such as those that aren't whole yet, stay here.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from spect.files import write_text
from spect.storage.address import Address
from spect.storage.errors import StorageError
from spect.storage.send import remove, send

SENT = ".sent.json"
LAST_TRIES = 3
Marks = dict[str, tuple[int, int]]
"""Of each file, by its name relative to the folder, when it changed (ns) and its size."""


class Outbox:
    """Sends a folder's files to an address.

    Args:
        told: takes a line where something failed.
    """

    def __init__(self, folder: Path, address: Address, told: Callable[[str], None]) -> None:
        self.folder, self.address, self._told = folder, address, told
        self._sent = read_sent(folder)
        self._wake, self._over = threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(wait=kind is None or not issubclass(kind, KeyboardInterrupt))

    def send_new(self) -> None:
        """Let the thread look for what is new; returns at once."""
        self._wake.set()

    def close(self, *, wait: bool = True) -> None:
        """Send all that is left, and say what couldn't be sent; returns when it is done.

        Args:
            wait: False leaves at once what isn't sent.
        """
        self._over = True
        self._wake.set()
        while wait and self._thread.is_alive():
            self._thread.join(0.1)  # Ctrl-C gets through
        left = self.pending()
        named = ", ".join(sorted(left)[:4]) + " ..." * (len(left) > 4)
        if left:
            self._told(
                f"{len(left)} files are not at {self.address} yet ({named}); they are in {self.folder}, and are sent "
                "when the run goes on"
            )

    def pending(self) -> Marks:
        """Name the files that are new or have changed since they were sent."""
        return {name: mark for name, mark in marks(self.folder).items() if self._sent.get(name) != mark}

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            over = self._over
            for _ in range(LAST_TRIES if over else 1):
                if self._pass():
                    break
            if over:
                return

    def _pass(self) -> bool:
        """Send and remove; whether all went well."""
        try:
            for name, mark in sorted(self.pending().items(), key=lambda pair: (pair[1][0], pair[0])):
                if (self.folder / name).exists():
                    send(self.folder / name, self.address.child(name))
                    self._mark({**self._sent, name: mark})
            for name in sorted(self._sent.keys() - marks(self.folder).keys()):
                remove(self.address.child(name))
                self._mark({other: mark for other, mark in self._sent.items() if other != name})
        except (StorageError, OSError) as error:
            self._told(f"upload failed, training goes on and it is tried again: {error}")
            return False
        return True

    def _mark(self, sent: Marks) -> None:
        self._sent = sent
        write_sent(self.folder, sent)


def marks(folder: Path) -> Marks:
    """Look at a folder's files."""
    found: Marks = {}
    for path in folder.rglob("*"):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            with contextlib.suppress(FileNotFoundError):  # taken away meanwhile
                state = path.stat()
                if path.is_file():
                    found[path.relative_to(folder).as_posix()] = (state.st_mtime_ns, state.st_size)
    return found


def read_sent(folder: Path) -> Marks:
    """Read what was sent of a folder; nothing where that isn't known."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        kept = json.loads((folder / SENT).read_text(encoding="utf-8"))
        return {str(name): (int(changed), int(size)) for name, (changed, size) in kept.items()}
    return {}


def write_sent(folder: Path, sent: Mapping[str, tuple[int, int]]) -> None:
    """Keep what was sent."""
    write_text(folder / SENT, json.dumps(sent, sort_keys=True))
