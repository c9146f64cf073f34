# SPDX-License-Identifier: Apache-2.0
"""From gen_audio's options to what is to be done: a sweep of seeds, mixes or a morph, or recipes to make again."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from patches.errors import UserError
from patches.generate.asked import Asked
from patches.generate.choices import Output, Settings, check_subtype, parse_numbers, parse_shift
from patches.generate.mixing import parse_grid
from patches.generate.morph import parse_morph
from patches.generate.network import find_networks
from patches.generate.recipe import read_recipe
from patches.generate.replay import Replay
from patches.generate.series import Seeds, Series
from patches.generate.sweep import Sweep
from patches.generate.video import find_ffmpeg
from stylegan3.ops.interfaces import Impl

GPU_BATCH = 8


def plan(
    *,
    network: Sequence[str],
    outdir: Path,
    device: torch.device,
    ops: Impl = "auto",
    recipe: Sequence[Path] = (),
    seeds: str | None = None,
    style_rows: str | None = None,
    style_cols: str | None = None,
    style_layers: str | None = None,
    morph: str | None = None,
    video: bool = False,
    psi: float | None = None,
    classes: Sequence[str] = (),
    pitch: str | None = None,
    values: Sequence[str] = (),
    vectors: Sequence[str] = (),
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
    asked = Asked(tuple(classes), pitch, tuple(values), tuple(vectors))
    if recipe:
        chosen = {
            "--seeds": seeds, "--trunc": psi, **asked.options, "--noise-mode": noise_mode,
            "--translate": translate, "--rotate": rotate, "--batch": batch, "--morph": morph,
            "--style-rows": style_rows, "--style-cols": style_cols, "--style-layers": style_layers,
            "--video": video or None,
        }  # fmt: skip
        _refuse_beside_recipe(chosen)
        return Replay(find_networks(network), [read_recipe(p) for p in recipe], subtype, trim, npy, outdir, device, ops)
    series = _series(seeds, morph, (style_rows, style_cols, style_layers))
    shift = parse_shift(translate) if translate else (0.0, 0.0)
    settings = Settings(1.0 if psi is None else psi, noise_mode or "random", None, shift, rotate or 0.0)
    output = Output(check_subtype(subtype or "PCM_24"), bool(trim), npy)
    size = batch or (GPU_BATCH if device.type == "cuda" else 1)
    ffmpeg = find_ffmpeg() if video else None
    return Sweep(find_networks(network), series, settings, asked, output, outdir, size, device, ops, ffmpeg)


def _series(seeds: str | None, morph: str | None, style: tuple[str | None, str | None, str | None]) -> Series:
    """Choose what is made: seeds, a way between some, or a grid of their mixes; one of them."""
    mixes = None if style == (None, None, None) else style
    asked = {"--seeds": seeds, "--morph": morph, "--style-rows and --style-cols": mixes}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) > 1:
        raise UserError(f"{given[0]}: together with {given[1]}; each makes its own sounds, give one at a time")
    if morph is not None:
        return parse_morph(morph)
    if mixes is not None:
        return parse_grid(*mixes)
    if seeds is None:
        raise UserError(
            "--seeds: missing; give numbers and ranges like 0-9 or 1,2,5-8 "
            "(or --morph, --style-rows with --style-cols, --recipe)"
        )
    return Seeds(parse_numbers(seeds))


def _refuse_beside_recipe(chosen: Mapping[str, object]) -> None:
    given = [name for name, value in chosen.items() if value is not None]
    if given:
        raise UserError(
            f"{given[0]}: a --recipe says it already; leave {', '.join(given)} away, or leave --recipe away"
        )
