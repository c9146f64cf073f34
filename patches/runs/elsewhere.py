# SPDX-License-Identifier: Apache-2.0
"""Runs at an address: trained in a folder here, sent there as files become whole, brought back to go on.

The folder is $XDG_CACHE_HOME/sg3-spect/runs/KEY, KEY being the hash of --outdir's address. Of a run that isn't here
the options, the logs, the newest state and its snapshot are brought; the rest of it stays there, and isn't missed.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from patches.console import progress
from patches.errors import UserError
from patches.runs.directory import NETWORK, OPTIONS, STATE, Run, number_of
from patches.runs.resume import Resume, named, newest
from spect.storage.address import Address, is_address
from spect.storage.fetch import cache_folder, fetch
from spect.storage.outbox import Outbox, marks, read_sent, write_sent
from spect.storage.send import check_writable, listed

_RUN = re.compile(r"\d{5}-[^/]+")


class Outgoing(Protocol):
    """Where a run's files go beside their folder."""

    def send_new(self) -> None:
        """Send what is new; returns at once."""


class Nowhere:
    """A run that stays here."""

    def send_new(self) -> None:
        """Do nothing."""


def folder_of(outdir: str) -> Path:
    """Give the folder in which the runs of --outdir are written."""
    if not is_address(outdir):
        return Path(outdir)
    return cache_folder() / "runs" / hashlib.sha256(outdir.rstrip("/").encode()).hexdigest()[:16]


def outgoing(run: Run, outdir: str, log: Callable[[str], None]) -> AbstractContextManager[Outgoing]:
    """Send a run's files to --outdir while it is entered, and all that is left when it is left."""
    if not is_address(outdir):
        return nullcontext(Nowhere())
    return Outbox(run.path, Address(outdir.rstrip("/")).child(run.path.name), log)


def find_names(outdir: str) -> Sequence[str]:
    """Look at an address: make a folder here for each run there, so that new ones are numbered after them.

    Returns:
        The names of all files there, relative to it.

    Raises:
        StorageError: it can't be reached, or takes nothing.
    """
    if not is_address(outdir):
        return ()
    check_writable(Address(outdir), "--outdir")
    names = listed(Address(outdir))
    for run in {name.partition("/")[0] for name in names}:
        if _RUN.fullmatch(run):
            (folder_of(outdir) / run).mkdir(parents=True, exist_ok=True)
    return names


def find_options(outdir: str) -> None:
    """Bring the options of all runs at an address that aren't here, so that one of them can be chosen.

    Raises:
        StorageError: they can't be read.
    """
    for name in find_names(outdir):
        run, _, file = name.partition("/")
        if file == OPTIONS and not (folder_of(outdir) / run / OPTIONS).exists():
            _bring(outdir, run, [OPTIONS])


def with_state(outdir: str | None, found: Resume | None) -> Resume | None:
    """Bring the newest state of a run that was found, where it is newer at its address than here.

    Raises:
        StorageError: it can't be read.
    """
    if found is None or outdir is None or not is_address(outdir):
        return found
    return _brought(outdir, found.run.path.name, None)


def from_address(resume: str) -> tuple[str, Resume]:
    """Bring the run or state that --resume names by its address; its --outdir, and what goes on.

    Raises:
        UserError, StorageError: there is no such thing, or it can't be read.
    """
    address = Address(resume.rstrip("/"))
    whole = _RUN.fullmatch(address.name) is not None
    run = address if whole else address.parent
    if not _RUN.fullmatch(run.name):
        raise UserError(f"--resume={resume}: not the address of a run, a state or a snapshot; one is .../00000-...")
    outdir = run.parent.url
    find_options(outdir)
    return outdir, _brought(outdir, run.name, None if whole else address.name.replace(NETWORK, STATE))


def _brought(outdir: str, run: str, state: str | None) -> Resume:
    """Bring a state, None for the newest, with all that belongs to its moment."""
    local = Run(folder_of(outdir) / run)
    names = listed(Address(outdir).child(run))
    states = sorted((name for name in names if _is_state(name)), key=lambda name: number_of(Path(name)))
    wanted = state or (states[-1] if states else None)
    own = max((number_of(path) for path in local.states()), default=-1.0)
    if wanted is not None and wanted not in states and not (local.path / wanted).exists():
        raise UserError(f"--resume: {outdir}/{run} has no {wanted}; there is {', '.join(states) or 'no state'}")
    if wanted in states and (number_of(Path(wanted)) > own or not (local.path / wanted).exists()):
        snapshot = wanted.replace(STATE, NETWORK)
        small = [name for name in names if _is_record(name)]
        _bring(outdir, run, [*small, *([snapshot] if snapshot in names else []), wanted])
    if state is None:
        return newest(local)
    _forget_newer(local, number_of(Path(state)), names)
    return replace(named(str(local.path / state)), run=local)


def _forget_newer(local: Run, number: float, names: Sequence[str]) -> None:
    """Take what is newer than a state that is gone back to for sent: since it isn't here, it goes there too."""
    kinds = (STATE, NETWORK, "fakes")
    newer = [name for name in names if name.startswith(kinds) and _number(name) > number]
    write_sent(local.path, {**read_sent(local.path), **dict.fromkeys(newer, (0, 0))})


def _number(name: str) -> float:
    with contextlib.suppress(UserError):
        return number_of(Path(name).with_suffix(".safetensors"))
    return -1.0


def _is_state(name: str) -> bool:
    return re.fullmatch(rf"{STATE}\d{{6,}}(\.\d{{3}})?\.safetensors", name) is not None


def _is_record(name: str) -> bool:
    """Whether a file is one that a run goes on writing."""
    return "/" not in name and name.endswith((".json", ".jsonl", ".txt"))


def _bring(outdir: str, run: str, names: Sequence[str]) -> None:
    folder = folder_of(outdir) / run
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        fetched = fetch(Address(outdir).child(f"{run}/{name}"), _shown, folder_of(outdir) / ".incoming")
        os.replace(fetched, folder / name)
        fetched.parent.rmdir()
    here = marks(folder)
    write_sent(folder, {**read_sent(folder), **{name: here[name] for name in names}})


@contextlib.contextmanager
def _shown(what: str, size: int | None) -> Iterator[Callable[..., Any]]:
    with progress(what, size, "bytes") as advance:
        yield advance
