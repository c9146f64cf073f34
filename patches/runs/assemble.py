# SPDX-License-Identifier: Apache-2.0
"""From resolved options to a setup that a trainer takes: recipe, patches, data, networks, numbers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from patches.canvases import Canvases
from patches.errors import UserError
from patches.runs.memory import bytes_of_state, bytes_per_picture, choose_batch_gpu, free_memory
from patches.runs.options import Resolved, TrainOptions
from patches.series import SERIES, SoundOptions, apply_series
from spect.errors import SoundError
from stylegan3.configs import CONFIGURATIONS, discriminator_spec, generator_spec
from stylegan3.recipe import Recipe, picture_recipe
from stylegan3.training.setup import Hyperparameters, Setup


@dataclass(frozen=True)
class Assembly:
    """A setup and what files must say of it."""

    setup: Setup
    resolved: Resolved
    recipe: Recipe
    data_digest: str

    @property
    def canvases(self) -> Canvases | None:
        """The data as canvases of sound; None for plain pictures."""
        data = self.setup.dataset
        return data if isinstance(data, Canvases) else None

    def header(self) -> dict[str, Any]:
        """Return what every snapshot's header holds: all that generation needs."""
        data, options = self.canvases, self.resolved.options
        return {
            "cfg": options.cfg,
            "generator": self.setup.generator.to_dict(),
            "discriminator": self.setup.discriminator.to_dict(),
            "view": data.view.to_dict() if data else None,
            "classes": list(data.classes) if data else [],
            "patches": list(self.recipe.applied),
            "data": self.data_digest,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return what training_options.json holds."""
        return {
            "options": self.resolved.options.to_dict(),
            "reasons": dict(self.resolved.reasons),
            "patches": list(self.recipe.applied),
            "augmentations": list(getattr(self.setup.augment, "names", ())),
            "data_digest": self.data_digest,
            "data_items": len(self.setup.dataset),
            "generator": self.setup.generator.to_dict(),
            "discriminator": self.setup.discriminator.to_dict(),
        }


def recipe_for(options: TrainOptions) -> Recipe:
    """Return the recipe that --patches and the options name.

    Raises:
        UserError: mirroring asked for with sounds, or no such patch.
    """
    if options.patches.lower() == "none":
        return picture_recipe(mirror=options.mirror, conditional=options.cond)
    if options.mirror:
        raise UserError(
            "--mirror=1: a sound played backwards is another sound (the picture's x axis is time); leave it"
        )
    names = tuple(SERIES) if options.patches == "sound" else tuple(options.patches.split(","))
    augs = tuple(name for name in options.augs.split(",") if name)
    sound = SoundOptions(options.view, options.scaling, augs, options.cond)
    return apply_series(picture_recipe(), names, sound)


def assemble(resolved: Resolved, device: torch.device) -> Assembly:
    """Open the data and build the setup; --batch-gpu is chosen here where it wasn't given.

    Raises:
        UserError, SoundError, NetworkError: in one line what doesn't fit.
    """
    options = resolved.options
    recipe = recipe_for(options)
    path = Path(options.data)
    if not path.exists():
        raise UserError(
            f"--data={options.data}: no such file; make one with dataset_tool_wav.py --source=... --dest=..."
        )
    try:
        data = recipe.open_data(path)
    except SoundError as error:
        raise UserError(f"--data={options.data}: {error}") from error
    c_dim = data.c_dim if options.cond else 0
    if options.cond and not data.c_dim:
        raise UserError(f"--cond=1: {options.data} has no labels; build it with --labels=folders, or leave --cond")
    shape, widths = data.shape, {"cbase": options.cbase, "cmax": options.cmax}
    generator = generator_spec(options.cfg, shape, c_dim=c_dim, map_depth=options.map_depth, **widths)
    discriminator = discriminator_spec(shape, c_dim=c_dim, group=min(options.mbstd_group, options.batch), **widths)
    if options.batch_gpu is None:
        resolved = _with_batch_gpu(resolved, generator, discriminator, device)
    if options.aug == "ada" and options.patches.lower() == "none":
        resolved = resolved.with_choice("aug", "noaug", "plain pictures have no augmentation here but --mirror")
    setup = Setup(
        dataset=data,
        generator=generator,
        discriminator=discriminator,
        hyper=hyperparameters(resolved.options),
        sheet=recipe.make_sheet(data),
        augment=recipe.make_augment(data),
    )
    return Assembly(setup, resolved, recipe, data_digest(data, path))


def data_digest(data: Any, path: Path) -> str:
    """Return what names the data whatever its place: the archive's digest."""
    return str(data.archive.digest if isinstance(data, Canvases) else data.digest)


def _with_batch_gpu(resolved: Resolved, generator: Any, discriminator: Any, device: torch.device) -> Resolved:
    options = resolved.options
    chosen, reason = choose_batch_gpu(
        options.batch,
        options.mbstd_group,
        bytes_per_picture(generator, discriminator),
        bytes_of_state(generator, discriminator),
        free_memory(device),
    )
    return resolved.with_choice("batch_gpu", chosen, reason)


def hyperparameters(options: TrainOptions) -> Hyperparameters:
    """Return the numbers of the training that the options and the configuration's table give."""
    numbers = CONFIGURATIONS[options.cfg]
    return Hyperparameters(
        batch=options.batch,
        batch_gpu=options.batch_gpu,
        group=options.mbstd_group,
        gamma=options.gamma,
        g_lr=numbers.g_lr if options.glr is None else options.glr,
        d_lr=options.dlr,
        ema_kimg=options.batch * 10 / 32,
        style_mixing=numbers.style_mixing,
        path_length_weight=numbers.path_length_weight,
        aug=options.aug,
        aug_p=options.p,
        ada_target=options.target,
        blur_sigma=numbers.blur_sigma,
        blur_kimg=options.batch * 200 / 32,
        freeze_d=options.freezed,
        seed=options.seed,
    )
