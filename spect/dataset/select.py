# SPDX-License-Identifier: Apache-2.0
"""Which sounds are asked for, and whether the target may be written, before anything is read."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from spect.archive.reader import Archive
from spect.dataset.labels import Asked, Labels, find_labels
from spect.dataset.sources import Source, find
from spect.errors import SoundError
from spect.storage.address import Address


@dataclass(frozen=True)
class Selection:
    """Sounds to read, sorted.

    Args:
        unreadable: sounds of kinds that aren't read.
        others: how many files of other kinds lie there, by suffix.
        left_out: how many sounds --include and --max-files left out.
    """

    source: Source
    names: tuple[str, ...]
    labels: Labels
    unreadable: tuple[str, ...]
    others: dict[str, int]
    left_out: int


def select(path: Path | Address, labels: Asked, include: str | None, max_files: int | None) -> Selection:
    """List the sounds under `path`, label them, and keep what is asked for.

    Raises:
        SoundError: no sounds, no such labels, no such class.
    """
    listing = find(path)
    known = find_labels(labels, listing.source, [*listing.names, *listing.unreadable])
    names, unreadable = list(listing.names), list(listing.unreadable)
    if include is not None:
        wanted = _wanted(include, known)
        names = [name for name in names if name in known.numbers and known.classes[known.numbers[name]] in wanted]
        unreadable = [
            name for name in unreadable if name in known.numbers and known.classes[known.numbers[name]] in wanted
        ]
    if max_files is not None and len(names) > max_files:
        names = [names[number * len(names) // max_files] for number in range(max_files)]
        unreadable = []
    left_out = len(listing.names) - len(names)
    return Selection(listing.source, tuple(names), known, tuple(unreadable), listing.others, left_out)


def _wanted(include: str, known: Labels) -> set[str]:
    if not known.classes:
        raise SoundError(
            f"--include={include}: there are no classes to choose from; add --labels=folders or --labels=FILE"
        )
    wanted = {name.strip() for name in include.split(",") if name.strip()}
    unknown = sorted(wanted - set(known.classes))
    if unknown or not wanted:
        raise SoundError(
            f"--include: no class {', '.join(unknown) or 'was named'}; there are {', '.join(known.classes)}"
        )
    return wanted


def check_dest(source: Path | Address, dest: Path, needed_bytes: int = 0) -> None:
    """Refuse a target that can't be, that isn't ours to replace, or that the disk has no room for.

    Raises:
        SoundError: any of these.
    """
    if dest.is_dir():
        raise SoundError(f"--dest: {dest} is a folder; name a file in it, such as {dest / 'sounds.zip'}")
    if dest.suffix.lower() != ".zip":
        raise SoundError(f"--dest: got {dest}; an archive's name ends in .zip, such as {dest.with_suffix('.zip')}")
    if dest.exists():
        if isinstance(source, Path) and source.exists() and dest.samefile(source):
            raise SoundError(f"--dest: {dest} is --source itself; choose another name")
        try:
            Archive.open(dest)
        except SoundError:
            raise SoundError(
                f"--dest: {dest} exists and isn't an archive of this tool, so it stays; choose another name, "
                "or remove it"
            ) from None
    folder = next(place for place in [dest.parent, *dest.parent.absolute().parents] if place.exists())
    if not folder.is_dir():
        raise SoundError(f"--dest: {folder} is not a folder")
    free = shutil.disk_usage(folder).free
    if needed_bytes > free:
        raise SoundError(
            f"--dest: needs {needed_bytes / 1e9:.3g} GB, {free / 1e9:.3g} GB are free in {folder}; choose a "
            "smaller --resolution, --max-files, or another disk"
        )
