# SPDX-License-Identifier: Apache-2.0
"""From gen_audio's options to what is to be done: a sweep of seeds, or recipes to make again."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from patches.errors import UserError
from patches.generate.choices import Output, Settings, check_subtype, parse_seeds, parse_shift
from patches.generate.network import find_networks
from patches.generate.recipe import read_recipe
from patches.generate.replay import Replay
from patches.generate.sweep import Sweep

GPU_BATCH = 8


def plan(
    *,
    network: Sequence[str],
    outdir: Path,
    device: torch.device,
    recipe: Sequence[Path] = (),
    seeds: str | None = None,
    psi: float | None = None,
    class_text: str | None = None,
    noise_mode: str | None = None,
    translate: str | None = None,
    rotate: float | None = None,
    subtype: str | None = None,
    trim: bool | None = None,
    npy: bool = False,
    batch: int | None = None,
) -> Sweep | Replay:
    """Check the options and find the files. None stands for an option that wasn't given.

    Raises:
        UserError: options that are malformed, missing, or contradict a recipe; a network or recipe that isn't there.
    """
    if recipe:
        chosen = {
            "--seeds": seeds, "--trunc": psi, "--class": class_text, "--noise-mode": noise_mode,
            "--translate": translate, "--rotate": rotate, "--batch": batch,
        }  # fmt: skip
        _refuse_beside_recipe(chosen)
        return Replay(find_networks(network), [read_recipe(p) for p in recipe], subtype, trim, npy, outdir, device)
    if seeds is None:
        raise UserError("--seeds: missing; give numbers and ranges like 0-9 or 1,2,5-8 (or --recipe FILE)")
    shift = parse_shift(translate) if translate else (0.0, 0.0)
    settings = Settings(1.0 if psi is None else psi, noise_mode or "random", None, shift, rotate or 0.0)
    output = Output(check_subtype(subtype or "PCM_24"), bool(trim), npy)
    size = batch or (GPU_BATCH if device.type == "cuda" else 1)
    return Sweep(find_networks(network), parse_seeds(seeds), settings, class_text, output, outdir, size, device)


def _refuse_beside_recipe(chosen: Mapping[str, object]) -> None:
    given = [name for name, value in chosen.items() if value is not None]
    if given:
        raise UserError(
            f"{given[0]}: a --recipe says it already; leave {', '.join(given)} away, or leave --recipe away"
        )
