# SPDX-License-Identifier: Apache-2.0
"""A recipe: the parts of a training that depend on what is learned, as functions; patches turn one into another.

`picture_recipe` is what stylegan3/ can do alone: 8-bit grey or RGB pictures. A patch is a named function recipe ->
recipe that answers one assumption which a picture GAN makes; the names of those applied are kept in `applied`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylegan3.picture_sheet import picture_sheet
from stylegan3.pictures import PictureArchive
from stylegan3.training.setup import Augment, Dataset, SheetWriter


@dataclass(frozen=True)
class Recipe:
    """How to open the data, augment it, and show what was made of it."""

    open_data: Callable[[Path], Dataset]
    make_augment: Callable[[Any], Augment | None]
    make_sheet: Callable[[Any], SheetWriter]
    applied: tuple[str, ...] = ()


def picture_recipe(*, mirror: bool = False, conditional: bool = False) -> Recipe:
    """Return the recipe for 8-bit picture archives: no augmentation but mirroring, sheets as png."""
    return Recipe(
        open_data=lambda path: PictureArchive(path, mirror=mirror, conditional=conditional),
        make_augment=lambda dataset: None,
        make_sheet=lambda dataset: picture_sheet(dataset.preview),
    )
