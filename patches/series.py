# SPDX-License-Identifier: Apache-2.0
"""The patch series: what turns stylegan3's recipe for 8-bit pictures into one for sounds (patches/README.md).

Each patch is a function recipe -> recipe that answers one assumption which a picture GAN makes and a sound breaks. They
compose in order and leave no trace but their names in `recipe.applied`, which training_options.json lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from patches.augment import SoundAugment
from patches.canvases import Canvases
from patches.errors import UserError
from patches.level import start_at_data_level
from patches.sheets import sound_sheet
from patches.transfer import transfer
from patches.views import View
from spect.archives.opening import open_archives
from spect.preview import save_png
from stylegan3.picture_sheet import picture_sheet
from stylegan3.recipe import Recipe
from stylegan3.training.setup import SheetWriter

Patch = Callable[[Recipe], Recipe]


@dataclass(frozen=True)
class SoundOptions:
    """What a person chooses about the sound side of a training.

    Args:
        view_arguments: parameters of the view's representation, as text.
        augmentations: names for the augmentation; empty for all that the view bears.
        conditional: learn the archive's labels: all, or those of the sets that are named.
    """

    view: str = "cmyk"
    scaling: str = "compand"
    view_arguments: Mapping[str, str] = field(default_factory=dict)
    augmentations: tuple[str, ...] = ()
    conditional: bool | str = False


def float32_canvases(options: SoundOptions) -> Patch:
    """8-bit RGB pictures -> float32 canvases of four channels, mapped from the archive, as they are."""

    def open_data(data: str | Path) -> Canvases:
        archive = open_archives(data)
        return Canvases(archive, View.fit(archive, "cmyk", "linear"), conditional=options.conditional)

    def sheet(data: Any) -> SheetWriter:
        return picture_sheet(canvases("float32-canvases", data).view.preview, save_png)

    return lambda recipe: replace(recipe, open_data=open_data, make_sheet=sheet)


def view(options: SoundOptions) -> Patch:
    """Values of about unit range by nature -> a view: representation and scaling fitted to these sounds."""

    def patch(recipe: Recipe) -> Recipe:
        def open_data(data: str | Path) -> Canvases:
            plain = canvases("view", recipe.open_data(data))
            fitted = View.fit(plain.archive, options.view, options.scaling, options.view_arguments)
            return Canvases(plain.archive, fitted, plain.indices, conditional=options.conditional)

        return replace(recipe, open_data=open_data)

    return patch


def sound_augmentation(options: SoundOptions) -> Patch:
    """Flips, turns and colours -> polarity, gain, width, swap, pan, shift: changes that keep a sound a sound."""

    def make(data: Any) -> SoundAugment:
        heard = canvases("sound-augmentation", data).view
        return SoundAugment(heard, options.augmentations or heard.augmentations)

    return lambda recipe: replace(recipe, make_augment=make)


def sound_previews(options: SoundOptions) -> Patch:
    """A png sheet -> a png sheet and the sounds."""
    return lambda recipe: replace(recipe, make_sheet=lambda data: sound_sheet(canvases("sound-previews", data).view))


def output_level(options: SoundOptions) -> Patch:
    """An untrained generator as loud as pictures are -> one that starts at the level of the data."""
    return lambda recipe: replace(recipe, prepare=start_at_data_level)


def channel_transfer(options: SoundOptions) -> Patch:
    """Three channels at both ends -> weights of such a network adapted to four, when fine-tuning begins."""
    return lambda recipe: replace(recipe, transplant=transfer)


def canvases(patch: str, data: Any) -> Canvases:
    """Return the data as the canvases that a patch needs.

    Raises:
        UserError: it is no canvases, since the patch that makes them was left out.
    """
    if not isinstance(data, Canvases):
        raise UserError(f"--patches: '{patch}' needs 'float32-canvases' before it; give --patches=sound for all")
    return data


SERIES: dict[str, Callable[[SoundOptions], Patch]] = {
    "float32-canvases": float32_canvases,
    "view": view,
    "sound-augmentation": sound_augmentation,
    "sound-previews": sound_previews,
    "output-level": output_level,
    "channel-transfer": channel_transfer,
}


def apply_series(recipe: Recipe, names: Sequence[str], options: SoundOptions) -> Recipe:
    """Apply the named patches, in the series' order whatever theirs is.

    Raises:
        UserError: no patch of that name.
    """
    for name in names:
        if name not in SERIES:
            raise UserError(
                f"--patches: no patch '{name}'; there are {', '.join(SERIES)}, or 'sound' for all, or 'none'"
            )
    for name in SERIES:
        if name in names:
            recipe = SERIES[name](options)(recipe)
            recipe = replace(recipe, applied=(*recipe.applied, name))
    return recipe
