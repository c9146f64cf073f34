# SPDX-License-Identifier: Apache-2.0
"""A png of each canvas of an archive, named by its number and source."""

import re
from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path, PurePosixPath

import torch

from spect.archive.reader import Archive
from spect.dataset.pool import in_order
from spect.files import NewFolder
from spect.preview import picture, save_png


def write_previews(archive: Path, folder: Path, executor: Executor | None, workers: int) -> Iterator[Path]:
    """Draw every canvas into `folder`; yields paths in order."""
    opened = Archive.open(archive)
    with NewFolder(folder):
        yield from in_order(executor, workers, partial(_draw, opened, folder), range(len(opened)))


def _draw(archive: Archive, folder: Path, index: int) -> Path:
    stem = re.sub(r"[^A-Za-z0-9_#-]+", "_", PurePosixPath(archive.item(index)["source"]).stem)[:60]
    path = folder / f"{index:08d}_{stem}.png"
    save_png(path, picture(torch.from_numpy(archive.canvases([index])))[0])
    return path
