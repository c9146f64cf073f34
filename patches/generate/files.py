# SPDX-License-Identifier: Apache-2.0
"""A sound on disk: seed0042.wav with its recipe in the tags, the same recipe as .json, its picture, on request .npy.

The .npy is the network's lossless picture in the archive's layout [F, T, C], before any change to the peak.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from patches.errors import UserError
from patches.generate.choices import Output, Settings
from patches.generate.network import Network
from patches.generate.points import Point
from patches.generate.recipe import dump, write_recipe
from patches.generate.synthesis import Batch
from patches.loudness import Levels, lower_peak, measure, trim_tail
from patches.version import PROGRAM
from spect.files import NewFolder, whole_file
from spect.preview import save_png
from spect.wavfile import write_wav


@dataclass(frozen=True)
class Written:
    """One sound as written: its levels are those of the file, gain_db is what lowered a peak above full scale."""

    wav: Path
    seed: int
    seconds: float
    gain_db: float
    levels: Levels

    @property
    def png(self) -> Path:
        """Its picture."""
        return self.wav.with_suffix(".png")


class OutputFolder(NewFolder):
    """--outdir, or a snapshot's folder in it; where nothing comes to be written, one that was made goes again.

    Raises:
        UserError: it can't be made.
    """

    def __enter__(self) -> Path:
        try:
            return super().__enter__()
        except OSError as error:
            reason = error.strerror
            raise UserError(f"--outdir={self.path}: can't be made ({reason}); give another folder") from error


def file_stem(point: Point, settings: Settings) -> str:
    """Name a sound: seed0042, seed0042_psi0.70_c3."""
    return f"{point.stem}{settings.suffix()}"


def write_sound(
    folder: Path, network: Network, batch: Batch, position: int, settings: Settings, output: Output
) -> Written | None:
    """Write all files of one sound of a batch, the wav first, each whole or not at all.

    Returns:
        what was written, or None where the sound holds NaN or infinity, which no file should.
    """
    raw, rate = batch.sounds[position], network.view.sample_rate
    if not np.isfinite(raw).all():
        return None
    if network.tempo is not None:
        raw = network.tempo.loop(raw, rate)
    sound, gain_db = (raw, 0.0) if output.subtype == "FLOAT" else lower_peak(raw)
    if output.trim and not network.loops:
        sound = trim_tail(sound)
    point = batch.points[position]
    recipe = write_recipe(network, position, batch.points, settings, output, gain_db, sound.shape[1])
    stem = folder / file_stem(point, settings)
    acid = None if network.tempo is None else network.tempo.acid(sound.shape[1], rate)
    write_wav(_with(stem, ".wav"), sound, rate, subtype=output.subtype, info=_tags(stem.name, recipe), acid=acid)
    with whole_file(_with(stem, ".json")) as file:
        file.write(f"{dump(recipe, indent=1)}\n".encode())
    _write_pictures(stem, batch, position, output)
    return Written(_with(stem, ".wav"), point.seed, sound.shape[1] / rate, gain_db, measure(sound))


def _with(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)  # with_suffix would take the end of psi0.70 for one


def _tags(name: str, recipe: dict[str, Any]) -> dict[str, str]:
    return {"title": name, "software": PROGRAM, "comment": dump(recipe)}


def _write_pictures(stem: Path, batch: Batch, position: int, output: Output) -> None:
    save_png(_with(stem, ".png"), batch.pictures[position])
    if output.npy:
        canvas = np.ascontiguousarray(np.moveaxis(batch.canvases[position], 0, -1), dtype=np.float32)
        with whole_file(_with(stem, ".npy")) as file:
            np.save(file, canvas, allow_pickle=False)


def subfolders(paths: list[Path]) -> list[str]:
    """Name a folder for each of several snapshots: the file's stem, with its run's name where stems repeat."""
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [f"{path.absolute().parent.name}_{path.stem}" for path in paths]
    if len(set(names)) < len(names):
        names = [f"{number:02d}_{name}" for number, name in enumerate(names)]
    return [re.sub(r"[^\w.+-]", "_", name) for name in names]
