# SPDX-License-Identifier: Apache-2.0
"""The folder of an unfinished archive, from which an interrupted build goes on.

    NAME.zip.parts/
      journal.jsonl     a line for each finished piece: its key, and what it holds
      RUN/pictures      the archive in the making, every picture at its place
      RUN/*.part        pieces that workers on other machines have made and that aren't joined yet

A later build takes a piece over where it wants one of the same key (spect.dataset.journal) at the same place and the
pictures there still have the hashes that the journal tells; everything else is made anew. So the journal need not be
true: a kill, or a power cut that loses what wasn't synced, costs work and no more.
The journal is locked while a build lives. Each build gives RUN a new name: the workers of a killed one, which may live
on for a moment, find their files gone.
"""

import fcntl
import os
import re
import secrets
import shutil
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from spect.dataset.journal import Journal, lines_of
from spect.errors import SoundError

PARTS = ".parts"
_RUN = re.compile(r"[0-9a-f]{16}")
_JOURNAL, _PICTURES = "journal.jsonl", "pictures"


def parts_folder(dest: Path) -> Path:
    """Name the folder of an archive's parts."""
    return dest.with_name(f"{dest.name}{PARTS}")


def left_behind(dest: Path) -> tuple[int, int]:
    """Tell how many canvases an interrupted build of this archive has left, and the bytes they take."""
    folder = parts_folder(dest)
    pictures = list(folder.glob(f"*/{_PICTURES}"))
    if not pictures or not (folder / _JOURNAL).exists():
        return 0, 0
    canvases = {entry["first"]: len(entry["crcs"]) for _, _, entry in lines_of(folder / _JOURNAL)}
    return sum(canvases.values()), sum(file.stat().st_blocks * 512 for file in pictures)


class Parts:
    """The parts of one archive, in the hands of one build. A context: what is unfinished at its end is kept.

    Raises:
        SoundError: on entering, where another build of the same archive is at work.
    """

    def __init__(self, dest: Path, *, resume: bool) -> None:
        self.dest, self.resume = dest, resume
        self.folder = parts_folder(dest)
        self.run = self.folder / secrets.token_hex(8)
        self._file: BinaryIO | None = None
        self._fresh = self._entered = False

    @property
    def pictures(self) -> Path:
        """The archive in the making."""
        return self.run / _PICTURES

    def __enter__(self) -> Self:
        try:
            self._file = self._locked()
            self.journal = Journal(self._file)
            if self.resume:
                self._take_over()
            if not self.journal:
                self.begin_anew()
            self._entered = True
            return self
        except BaseException:  # Ctrl-C has its moment here too, when no __exit__ would follow
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder; where the archive is finished, or no piece of it, remove it."""
        if self._file is not None:
            try:
                finished = self._entered and not self.pictures.exists()
                if finished or (self._fresh and not self.journal):
                    self._remove()
            finally:
                self._file.close()
                self._file = None

    def begin_anew(self) -> None:
        """Forget what an earlier build has left."""
        self._fresh = True
        self.journal.clear()
        for run in self._runs():
            shutil.rmtree(run)
        self.run.mkdir()

    def _remove(self) -> None:
        for run in self._runs():
            shutil.rmtree(run, ignore_errors=True)
        (self.folder / _JOURNAL).unlink(missing_ok=True)
        try:  # noqa: SIM105 contextlib has lines where Ctrl-C could come between
            self.folder.rmdir()
        except OSError:
            pass  # there is something of the user's in it

    def _locked(self) -> BinaryIO:
        path = self.folder / _JOURNAL
        while True:
            self.folder.mkdir(exist_ok=True)
            try:
                file = open(path, "a+b", buffering=0)  # noqa: SIM115 its lock lasts as long as the build
            except FileNotFoundError:  # another build has just ended and removed the folder
                continue
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same(path, file):
                    return file
            except BlockingIOError:
                file.close()
                raise SoundError(
                    f"--dest: another build of {self.dest} is at work; wait for it, or choose another name"
                ) from None
            file.close()

    def _take_over(self) -> None:
        """Read the journal and make the earlier build's pictures ours."""
        runs = [run for run in self._runs() if (run / _PICTURES).exists()]
        if len(runs) != 1:
            return
        self.journal.load(self.folder / _JOURNAL)
        runs[0].rename(self.run)
        with open(self.pictures, "rb") as file:  # wait for workers that have it open still
            fcntl.flock(file, fcntl.LOCK_EX)
        for part in self.run.iterdir():
            if part.name != _PICTURES:
                part.unlink(missing_ok=True)

    def _runs(self) -> list[Path]:
        return [run for run in self.folder.glob("*") if _RUN.fullmatch(run.name)]


def _same(path: Path, file: BinaryIO) -> bool:
    """Tell whether a file that is open still has its name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
