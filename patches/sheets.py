# SPDX-License-Identifier: Apache-2.0
"""Snapshot sheets: what a network makes (or learns from), to look at and to listen to.

One png grid; and one wav with the sounds one after another, or for the reals one wav each in a folder. Sounds of a
sheet keep their levels towards each other: where one is too loud for a file, all are lowered by the same gain, which
the caller is given to tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from patches.loudness import CEILING_DB, amplitude, decibels
from patches.views import View
from spect.preview import grid, save_png
from spect.wavfile import write_wav

GAP_SECONDS = 0.25
ROUNDING = 1e-4  # a peak over 1 by less is float32 rounding of a full-scale sound: lowered to 1, which nobody hears
SEPARATE = ("reals",)


@dataclass(frozen=True)
class Sheet:
    """What was written, and the same for a log.

    Args:
        files: the png first, then the wavs.
        picture: the grid, uint8 [H, W, 3].
        sound: the sounds one after another, float32 [2, L'] in [-1, 1].
        gain_db: what all sounds were lowered by; 0 where nothing was too loud.
        not_finite: how many sounds held NaN or Inf; they are written as silence.
    """

    files: tuple[Path, ...]
    picture: Tensor
    sound: Tensor
    sample_rate: int
    gain_db: float
    not_finite: int


def sound_sheet(view: View) -> Callable[[Path, str, Tensor], dict[str, Any]]:
    """Give a training's sheet writer: (folder, name, pictures) -> the fields of a Sheet; "reals" get a wav each."""

    def write(folder: Path, name: str, pictures: Tensor) -> dict[str, Any]:
        return dict(vars(write_sheet(view, folder, name, pictures, separate=name in SEPARATE)))

    return write


def write_sheet(view: View, folder: Path, name: str, pictures: Tensor, *, separate: bool = False) -> Sheet:
    """Write `name`.png and the sounds of model-space pictures.

    Args:
        separate: one wav each, in `folder`/`name`/; otherwise one `name`.wav.

    Shape: [N, C, F, T], N >= 1.
    """
    with torch.no_grad():
        picture = grid(view.preview(pictures).cpu(), columns=math.ceil(math.sqrt(len(pictures))))
        sounds, gain_db, not_finite = fit_to_full_scale(view.sound(pictures).float().cpu())
    rate = view.sample_rate
    row = in_a_row(sounds, round(GAP_SECONDS * rate))
    whole = {folder / f"{name}.wav": row}
    each = {folder / name / f"{index:04d}.wav": sound for index, sound in enumerate(sounds)}
    folder.mkdir(parents=True, exist_ok=True)
    save_png(folder / f"{name}.png", picture)
    for path, sound in (each if separate else whole).items():
        path.parent.mkdir(exist_ok=True)
        write_wav(path, sound.numpy(), rate, subtype="PCM_24")
    files = (folder / f"{name}.png", *(each if separate else whole))
    return Sheet(files, picture, row, rate, gain_db, not_finite)


def fit_to_full_scale(sounds: Tensor) -> tuple[Tensor, float, int]:
    """Silence what is not finite, then lower all by one gain where the loudest is above full scale.

    Returns:
        the sounds, the gain in dB (<= 0), and how many sounds were not finite.

    Shape: [N, 2, L] -> [N, 2, L].
    """
    finite = torch.isfinite(sounds).all(-1).all(-1)
    sounds = torch.where(finite[:, None, None], sounds, 0.0)
    peak = float(sounds.abs().max())
    if peak <= 1:
        return sounds, 0.0, int((~finite).sum())
    ceiling = 1.0 if peak <= 1 + ROUNDING else amplitude(CEILING_DB)
    lowered = (sounds * (ceiling / peak)).clamp(-1, 1)  # the product may round to just above 1
    return lowered, decibels(ceiling / peak), int((~finite).sum())


def in_a_row(sounds: Tensor, gap: int) -> Tensor:
    """Put sounds one after another, `gap` samples of silence between. Shape: [N, 2, L] -> [2, N (L + gap) - gap]."""
    spaced = torch.nn.functional.pad(sounds, (0, gap)).movedim(0, 1).flatten(1)
    return spaced[:, : spaced.shape[1] - gap]
