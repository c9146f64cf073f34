# SPDX-License-Identifier: Apache-2.0
"""Open what a person names as a dataset: an archive, several with commas between them, or a pattern of names.

    sounds.zip        a.zip,b.zip        'parts/*.zip'

A text that is itself the name of something is that and nothing else. Names that a pattern meets are sorted.
"""

import glob
from pathlib import Path
from typing import TypeAlias

from spect.archive.reader import Archive
from spect.archives.joined import JoinedArchive
from spect.errors import SoundError

AnyArchive: TypeAlias = Archive | JoinedArchive


def is_several(data: str | Path) -> bool:
    """Whether a text names several archives, or a pattern of them."""
    return not Path(data).exists() and ("," in str(data) or glob.has_magic(str(data)))


def paths_of(data: str | Path) -> tuple[Path, ...]:
    """Give the paths that a text names; whether there is something isn't looked at but for patterns.

    Raises:
        SoundError: a pattern meets nothing, or a list has an empty name.
    """
    if not is_several(data):
        return (Path(data),)
    found: list[Path] = []
    for part in str(data).split(","):
        if not part:
            raise SoundError(f"{data}: an empty name in the list; give archives with commas between them, a.zip,b.zip")
        found += [Path(part)] if Path(part).exists() or not glob.has_magic(part) else _met(part)
    return tuple(found)


def _met(pattern: str) -> list[Path]:
    met = sorted(Path(name) for name in glob.glob(pattern, recursive=True))
    if not met:
        raise SoundError(f"{pattern}: no file has such a name; quote a pattern, as in 'parts/*.zip'")
    comma = next((path for path in met if "," in str(path)), None)
    if comma is not None:
        raise SoundError(f"{comma}: an archive among several can't have a comma in its name; rename it")
    return met


def open_archives(data: str | Path) -> AnyArchive:
    """Open an archive, or several as one.

    Raises:
        SoundError: one isn't an archive, or they don't go together; the message says which and why.
    """
    members = [Archive.open(path) for path in paths_of(data)]
    return members[0] if len(members) == 1 else JoinedArchive(members)
