# SPDX-License-Identifier: Apache-2.0
"""Build a shared library with the compiler that is here, once for each source, compiler and processor.

The libraries have a plain C interface (no headers of torch or Python), so that a build takes seconds and serves every
torch. They lie in the user's cache: $XDG_CACHE_HOME/sg3-spect (else ~/.cache/sg3-spect). A build happens under a lock
that the system drops when its holder dies, beside its target, which then appears whole.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from stylegan3.errors import NetworkError

HERE = Path(__file__).parent


class BuildError(NetworkError):
    """A library could not be built or loaded."""


def cache_folder() -> Path:
    """Return the folder of built libraries, made; a new temporary one where the user's can't be written."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sg3-spect"
    with suppress(OSError):
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.access(root, os.W_OK) and root.stat().st_uid == os.getuid():
        return root
    return Path(_own_folder().name)


@cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder of this process's own, which goes with it."""
    return tempfile.TemporaryDirectory(prefix="sg3-spect-")


def output_of(command: Sequence[str], folder: Path) -> str:
    """Run a compiler and return what it prints.

    Raises:
        BuildError: where it can't be started or fails, with its own last lines.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
    except OSError as error:
        raise BuildError(f"{command[0]} could not be started: {error}") from None
    if done.returncode:
        raise BuildError(f"{' '.join(command)}:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock of the system on a file: freed when its holder ends, however it ends."""
    try:
        import fcntl
    except ImportError:
        raise BuildError("kernels are built on Linux and macOS only") from None
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def digest(sources: Iterable[Path], *facts: str) -> str:
    """Return a name for what these sources become under these facts."""
    h = hashlib.sha256()
    for source in sources:
        h.update(source.read_bytes())
    for fact in facts:
        h.update(fact.encode() + b"\0")
    return h.hexdigest()[:24]


def built(name: str, key: str, commands: Sequence[Sequence[str]]) -> Path:
    """Return the library of this name and key, built by the commands where it is absent.

    Args:
        commands: run in a new folder, side by side but for the last one, which leaves ``library.so``; '{source}' stands
            for this package's folder.
    """
    folder = cache_folder()
    target = folder / f"{name}-{key}.so"
    if target.exists():
        return target
    with locked(folder / f"{name}-{key}.lock"):
        if target.exists():
            return target
        work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
        try:
            *parts, last = ([part.replace("{source}", str(HERE)) for part in command] for command in commands)
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda part: output_of(part, work), parts))
            output_of(last, work)
            os.replace(work / "library.so", target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def loaded(path: Path) -> ctypes.CDLL:
    """Load a library.

    Raises:
        BuildError: where the system refuses it.
    """
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise BuildError(f"{path.name} could not be loaded: {error}") from None
