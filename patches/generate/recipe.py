# SPDX-License-Identifier: Apache-2.0
"""A sound's recipe: what makes it again. The same JSON stands beside each wav and in its LIST/INFO comment.

`batch` names the seeds that were computed together: floating point sums depend on the batch's shape in their last
bits, so that the same bits need the same batch. A seed's own sound is written as version 1; one between seeds as
version 2, which tells the other seed, how much of it and in which layers, the stem of its files, and its whole batch in
the same way (`place` is its own in it); version 3 tells a condition that is more than one class (`condition`). Without
date, path, or machine: the same sound has the same recipe.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from patches import version
from patches.errors import UserError
from patches.generate.choices import Output, Settings, check_subtype
from patches.generate.conditions import Chosen, chosen_again
from patches.generate.network import Network
from patches.generate.points import Point, point_from
from patches.loudness import TRIM_FLOOR_DB
from spect.errors import SoundError
from spect.wavfile import read_info
from stylegan3.ops.engines import served_by

FORMAT = f"{version.NAME} sound"
VERSION = 3
NAMES = r"[A-Za-z0-9][A-Za-z0-9+_-]{0,199}"  # of a file; a recipe may come from anyone
MAXIMUM_BATCH = 4096


@dataclass(frozen=True)
class Recipe:
    """The part of a recipe that makes the sound; the rest of the JSON only tells."""

    network_sha256: str
    network_file: str
    batch: tuple[Point, ...]
    place: int
    settings: Settings
    condition: Mapping[str, Any] | int | None
    output: Output
    computed: Mapping[str, Any]

    def settings_for(self, network: Network) -> Settings:
        """Give the settings with the condition as its network takes it.

        Raises:
            UserError: the network isn't told such things.
        """
        try:
            return self.settings.with_condition(chosen_again(network.conditions, self.condition))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise UserError(f"--recipe: its condition is none of {network.path.name}'s ({error})") from error

    @property
    def point(self) -> Point:
        """What its sound is made from."""
        return self.batch[self.place]


def write_recipe(
    network: Network,
    place: int,
    batch: tuple[Point, ...],
    settings: Settings,
    output: Output,
    gain_db: float,
    samples: int,
) -> dict[str, Any]:
    """Return the recipe of one sound of a batch as JSON-able values."""
    return {
        "format": FORMAT,
        "network": {"sha256": network.digest, "file": network.path.name, "kimg": network.kimg, "cfg": network.cfg},
        **_points(place, batch),
        **settings.to_dict(),
        **_condition(settings.condition),
        "edits": _edits(network, output, gain_db, samples),
        "gain_db": gain_db,
        "subtype": output.subtype,
        "sample_rate": network.view.sample_rate,
        "computed": computed_on(network),
        "versions": {version.NAME: version.VERSION},
    }


def _points(place: int, batch: tuple[Point, ...]) -> dict[str, Any]:
    point = batch[place]
    if all(each.is_plain for each in batch):
        return {"version": 1, "seed": point.seed, "batch": [each.seed for each in batch]}
    together = [each.to_dict() for each in batch]
    return {"version": 2, **point.to_dict(), "name": point.stem, "place": place, "batch": together}


def _condition(chosen: Chosen | None) -> dict[str, Any]:
    """Tell one class by its number and name, as always; all else set by set, as version 3."""
    if chosen is None:
        return {"class": None}
    if chosen.single is not None:
        return {"class": {"index": chosen.single, "name": chosen.conditions.classes[chosen.single]}}
    return {"class": None, "condition": chosen.to_dict(), "version": 3}


def _edits(network: Network, output: Output, gain_db: float, samples: int) -> list[dict[str, Any]]:
    edits: list[dict[str, Any]] = []
    if network.tempo is not None and network.loops:
        edits.append({"edit": "cut_loop", "bpm": network.tempo.bpm, "beats": network.tempo.beats, "samples": samples})
    if gain_db:
        edits.append({"edit": "lower_peak", "gain_db": gain_db})
    if output.trim and not network.loops:
        edits.append({"edit": "trim_tail", "floor_db": TRIM_FLOOR_DB, "samples": samples})
    return edits


def computed_on(network: Network) -> dict[str, Any]:
    """Name what the last bits depend on: device, torch's version, the way of the operations, the CPU's threads."""
    device = network.device
    common = {"torch": torch.__version__, "ops": served_by(device, network.ops)}
    if device.type == "cuda":
        return {"device": torch.cuda.get_device_name(device), **common}
    return {"device": device.type, "threads": torch.get_num_threads(), **common}


def dump(recipe: Mapping[str, Any], indent: int | None = None) -> str:
    """Write a recipe as sorted JSON."""
    return json.dumps(recipe, sort_keys=True, indent=indent, ensure_ascii=False, allow_nan=False)


def read_recipe(path: Path) -> Recipe:
    """Read the recipe in a .json or in the tags of a .wav.

    Raises:
        UserError: no such file, no recipe in it, or one that was written by a newer version or by hand and badly.
    """
    if not path.is_file():
        raise UserError(f"--recipe={path}: no such file")
    try:
        values = json.loads(_text(path))
    except ValueError:
        values = None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise UserError(f"--recipe={path}: holds no recipe; give a .wav or .json that gen_audio.py wrote")
    if not isinstance(values.get("version"), int) or values["version"] > VERSION:
        raise UserError(f"--recipe={path}: written by a newer sg3-spect; update this one")
    try:
        return _checked(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"--recipe={path}: damaged ({type(error).__name__}: {error})") from error


def _text(path: Path) -> str:
    if path.suffix.lower() == ".json":
        return path.read_text(encoding="utf-8")
    try:
        return read_info(path).get("comment", "")
    except SoundError:
        return ""


def _checked(values: dict[str, Any]) -> Recipe:
    batch, place = _batch(values)
    x, y = (float(v) for v in values["translate"])
    chosen = values["class"]
    condition = values.get("condition") if chosen is None else int(chosen["index"])
    if not isinstance(condition, (int, dict, type(None))):
        raise TypeError("its condition is none")
    return Recipe(
        network_sha256=str(values["network"]["sha256"]),
        network_file=str(values["network"]["file"]),
        batch=batch,
        place=place,
        settings=Settings(float(values["psi"]), str(values["noise_mode"]), None, (x, y), float(values["rotate"])),
        condition=condition,
        output=Output(
            check_subtype(str(values["subtype"])), any(edit["edit"] == "trim_tail" for edit in values["edits"])
        ),
        computed={str(k): v for k, v in values["computed"].items()},
    )


def _batch(values: dict[str, Any]) -> tuple[tuple[Point, ...], int]:
    """Read the points that were computed together and the place of the recipe's own, with its name."""
    seed, name = int(values["seed"]), str(values.get("name", ""))
    batch = [point_from(each) for each in values["batch"]]
    place = int(values["place"]) if "place" in values else [point.seed for point in batch].index(seed)
    if not 0 <= place < len(batch) <= MAXIMUM_BATCH or batch[place].seed != seed:
        raise ValueError("its seed is not in its batch")
    if name and not re.fullmatch(NAMES, name):
        raise ValueError(f"its name is {name!r}")
    batch[place] = replace(batch[place], name=name)
    return tuple(batch), place
