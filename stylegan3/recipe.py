# SPDX-License-Identifier: Apache-2.0
"""A recipe: the parts of a training that depend on what is learned, as functions; patches turn one into another.

`picture_recipe` is what stylegan3/ can do alone: 8-bit grey or RGB pictures. A patch is a named function recipe ->
recipe that answers one assumption which a picture GAN makes; the names of those applied are kept in `applied`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.networks import Discriminator, Generator
from stylegan3.picture_sheet import Save, picture_sheet
from stylegan3.pictures import PictureArchive
from stylegan3.training.setup import Augment, Dataset, SheetWriter
from stylegan3.training.trainer import Trainer

Network = Generator | Discriminator


class Transplant(Protocol):
    """What came of carrying one network's weights over to another."""

    @property
    def state(self) -> dict[str, Tensor]:
        """A whole state dict of the target."""

    def lines(self, name: str) -> Iterator[str]:
        """Yield the report on the network called so."""


@dataclass(frozen=True)
class WholeTransplant:
    """Weights of a network into one that is exactly alike."""

    state: dict[str, Tensor]

    def lines(self, name: str) -> Iterator[str]:
        """Yield the report on the network called so."""
        yield f"{name}: all {len(self.state)} tensors transferred"


def transplant_whole(source: Network, target: Network) -> Transplant:
    """Carry weights over between networks of one spec, as pictures of one kind have them.

    Raises:
        NetworkError: the two differ.
    """
    if source.spec != target.spec:
        raise NetworkError(
            f"--finetune: the source is {source.spec}, this run trains {target.spec}; they must be equal here, "
            "the patch 'channel-transfer' adapts them"
        )
    return WholeTransplant(source.state_dict())


def nothing_to_prepare(trainer: Trainer) -> list[str]:
    """Leave fresh networks as they were drawn."""
    return []


@dataclass(frozen=True)
class Recipe:
    """How to open the data, augment it, show what was made of it, and begin.

    Args:
        open_data: takes the path of the data, or whatever text names them.
        transplant: carries another network's weights over, when a run begins with them.
        prepare: what is done to fresh networks otherwise, before the first iteration; returns what to tell.
    """

    open_data: Callable[[str | Path], Dataset]
    make_augment: Callable[[Any], Augment | None]
    make_sheet: Callable[[Any], SheetWriter]
    transplant: Callable[[Network, Network], Transplant] = transplant_whole
    prepare: Callable[[Trainer], list[str]] = nothing_to_prepare
    applied: tuple[str, ...] = ()


def picture_recipe(save_png: Save, *, mirror: bool = False, conditional: bool = False) -> Recipe:
    """Return the recipe for 8-bit picture archives: no augmentation but mirroring, sheets as png by `save_png`."""
    return Recipe(
        open_data=lambda path: PictureArchive(Path(path), mirror=mirror, conditional=conditional),
        make_augment=lambda dataset: None,
        make_sheet=lambda dataset: picture_sheet(dataset.preview, save_png),
    )
