# SPDX-License-Identifier: Apache-2.0
"""What --data names, as files of this machine: an archive, several, or a pattern of names."""

import re
from pathlib import Path

from spect.archives.opening import AnyArchive, is_several, open_archives, paths_of


def open_data(data: str | Path) -> AnyArchive:
    """Open the archive or archives that --data names.

    Raises:
        SoundError: what is wrong with them, in one line.
    """
    return open_archives(here(data))


def here(data: str | Path) -> str:
    """Give a text that names the same on this machine's disk.

    Raises:
        SoundError: a pattern that meets nothing.
    """
    return ",".join(str(path) for path in paths_of(data))


def absolute(data: str | Path) -> str:
    """Give a text that names the same for a process that works in another folder."""
    return ",".join(str(Path(name).absolute()) for name in here(data).split(","))


def is_there(data: str | Path) -> bool:
    """Whether there is something to open; what isn't is told where it is opened."""
    return is_several(data) or Path(data).is_file()


def data_name(data: str | Path) -> str:
    """Name data in few letters, for a run's folder: the file's name, that of the first with how many more, a pattern's.

    Nothing is looked for: a run is named the same wherever its data are.
    """
    names = str(data).split(",")
    stem = Path(names[0]).stem
    if set("*?[") & set(stem):
        stem = re.sub(r"[*?\[\]!]+", "", stem) or Path(names[0]).parent.name or "data"
    return stem + f"+{len(names) - 1}" * (len(names) > 1 and not Path(data).exists())
