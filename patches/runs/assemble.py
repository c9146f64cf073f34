# SPDX-License-Identifier: Apache-2.0
"""From resolved options to a setup that a trainer takes: recipe, patches, data, networks, numbers."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from patches.canvases import Canvases
from patches.data import is_there
from patches.errors import UserError
from patches.runs.caching import taken_by_cache
from patches.runs.memory import choose_batch_gpu, estimate, free_memory
from patches.runs.options import Resolved, TrainOptions
from patches.runs.precision import INNER, check_precision, suited
from patches.runs.viewed import check_learnable, opened, patch_names, with_view
from patches.scores.names import DEFAULT, parse_metrics
from patches.series import SoundOptions, apply_series
from patches.version import PROGRAM
from patches.views import parse_arguments
from spect.beats.options import tempo_of
from spect.preview import save_png
from stylegan3.configs import CONFIGURATIONS, discriminator_spec, generator_spec
from stylegan3.networks import DiscriminatorSpec, GeneratorSpec
from stylegan3.ops.interfaces import Impl
from stylegan3.recipe import Recipe, picture_recipe
from stylegan3.training.setup import Dataset, Hyperparameters, Setup


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
            "program": PROGRAM,
            "cfg": options.cfg,
            "generator": self.setup.generator.to_dict(),
            "discriminator": self.setup.discriminator.to_dict(),
            "view": data.view.to_dict() if data else None,
            "classes": list(data.classes) if data else [],
            "conditions": data.conditions.to_list() if data else [],
            "tempo": tempo_of(data.archive.summary) if data else None,
            "patches": list(self.recipe.applied),
            "data": self.data_digest,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return what training_options.json holds."""
        return {
            "program": PROGRAM,
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
        if isinstance(options.cond, str):
            raise UserError(f"--cond={options.cond}: plain pictures have one set of labels; give --cond=1")
        return picture_recipe(save_png, mirror=options.mirror, conditional=options.cond)
    if options.mirror:
        raise UserError(
            "--mirror=1: the picture's x axis is time, and a sound played backwards is another sound; leave it out "
            "(--aug=ada swaps left and right and turns the polarity instead)"
        )
    augs = tuple(name for name in options.augs.split(",") if name)
    sound = SoundOptions(options.view, options.scaling, parse_arguments(options.view_args), augs, options.cond)
    return apply_series(picture_recipe(save_png), patch_names(options), sound)


def assemble(resolved: Resolved, device: torch.device, processes: int = 1) -> Assembly:
    """Open the data and build the setup; --batch-gpu and --precision are chosen here where they weren't given.

    Args:
        processes: ranks that share this machine's memory.

    Raises:
        UserError, SoundError, NetworkError: in one line what doesn't fit.
    """
    options = resolved.options
    hyperparameters(options)  # refuses what doesn't fit before anything is opened
    resolved = with_precision(with_metrics(with_view(resolved)), device)
    options = resolved.options
    recipe = recipe_for(options)
    data = open_data(recipe, options)
    check_learnable(options.view, data.shape)
    generator, discriminator = specs(options, data)
    augment = recipe.make_augment(data)
    if augment is None and options.aug != "noaug" and "aug" in resolved.reasons:
        resolved = resolved.with_choice("aug", "noaug", "plain pictures have no augmentation here but --mirror")
    setup = Setup(
        dataset=data,
        generator=generator,
        discriminator=discriminator,
        hyper=hyperparameters(resolved.options),
        sheet=recipe.make_sheet(data),
        augment=augment,
        ops=cast(Impl, options.ops),
        inner=INNER[options.precision],
    )
    free = free_memory(device) / (processes if device.type == "cpu" else 1)
    free -= taken_by_cache(data, options.cache, device)
    if options.batch_gpu is None:
        share = options.batch // options.gpus
        chosen, reason = choose_batch_gpu(share, options.mbstd_group, estimate(setup), free)
        resolved = resolved.with_choice("batch_gpu", chosen, reason)
        setup = replace(setup, hyper=hyperparameters(resolved.options))
    return Assembly(setup, resolved, recipe, str(data.digest))


def with_precision(resolved: Resolved, device: torch.device) -> Resolved:
    """Choose the precision where that was left to us.

    Raises:
        UserError: the device hasn't the one that was asked for.
    """
    if resolved.options.precision == "auto":
        name, reason = suited(device, cast(Impl, resolved.options.ops))
        resolved = resolved.with_choice("precision", name, reason)
    check_precision(resolved.options.precision, device)
    return resolved


def with_metrics(resolved: Resolved) -> Resolved:
    """Choose the scores where that was left to us.

    Raises:
        UserError: scores of sounds, for plain pictures.
    """
    options = resolved.options
    if options.patches.lower() == "none":
        if options.metrics == "auto":
            return resolved.with_choice("metrics", "none", "plain pictures have no sounds to score")
        if parse_metrics(options.metrics):
            raise UserError(f"--metrics={options.metrics}: scores are of sounds; leave it out with --patches=none")
    if options.metrics == "auto":
        return resolved.with_choice("metrics", ",".join(DEFAULT), "a process of its own, a tenth of the time")
    return resolved


def open_data(recipe: Recipe, options: TrainOptions) -> Dataset:
    """Open the archive that --data names.

    Raises:
        UserError: there is none, it is of another kind, or it lacks the labels that --cond asks for.
    """
    if not is_there(options.data) and not Path(options.data).exists():
        raise UserError(
            f"--data={options.data}: no such file; make one with dataset_tool_wav.py --source=... --dest=..., "
            "or give the place that it has now"
        )
    return opened(options, recipe.open_data)


def specs(options: TrainOptions, data: Dataset) -> tuple[GeneratorSpec, DiscriminatorSpec]:
    """Return what the networks for the data are made of."""
    widths: dict[str, Any] = {
        "c_dim": data.c_dim,
        "cbase": options.cbase,
        "cmax": options.cmax,
        "embed_dim": options.embed_dim or 0,
    }
    latents: dict[str, Any] = {"z_dim": options.z_dim, "w_dim": options.w_dim, **widths}
    axes: dict[str, Any] = {
        "input_lock": options.input_lock,
        "row_features": options.row_features,
        "row_gains": options.row_gains,
    }
    group = min(options.mbstd_group, options.batch)
    return (
        generator_spec(options.cfg, data.shape, map_depth=options.map_depth, **latents, **axes),
        discriminator_spec(data.shape, group=group, **widths),
    )


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
        ranks=options.gpus,
        ema_kimg=options.batch * 10 / 32,
        ema_rampup=options.ema_rampup,
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
