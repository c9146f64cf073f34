# SPDX-License-Identifier: Apache-2.0
"""A sound's recipe: what makes it again. The same JSON stands beside each wav and in its LIST/INFO comment.

`batch` names the seeds that were computed together: floating point sums depend on the batch's shape in their last
bits, so that the same bits need the same batch. Without date, path, or machine: the same sound has the same recipe.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from patches import version
from patches.errors import UserError
from patches.generate.choices import MAXIMUM_SEED, Output, Settings, check_subtype
from patches.generate.network import Network
from patches.loudness import TRIM_FLOOR_DB
from spect.errors import SoundError
from spect.wavfile import read_info

FORMAT = f"{version.NAME} sound"
VERSION = 1
MAXIMUM_BATCH = 4096


@dataclass(frozen=True)
class Recipe:
    """The part of a recipe that makes the sound; the rest of the JSON only tells."""

    network_sha256: str
    network_file: str
    seed: int
    batch: tuple[int, ...]
    settings: Settings
    output: Output
    computed: Mapping[str, Any]


def write_recipe(
    network: Network,
    seed: int,
    batch: tuple[int, ...],
    settings: Settings,
    output: Output,
    gain_db: float,
    samples: int,
) -> dict[str, Any]:
    """Return the recipe of one sound as JSON-able values."""
    index = settings.class_index
    name = network.classes[index] if index is not None and index < len(network.classes) else None
    return {
        "format": FORMAT,
        "version": VERSION,
        "network": {"sha256": network.digest, "file": network.path.name, "kimg": network.kimg, "cfg": network.cfg},
        "seed": seed,
        **settings.to_dict(),
        "class": None if index is None else {"index": index, "name": name},
        "edits": _edits(output, gain_db, samples),
        "gain_db": gain_db,
        "subtype": output.subtype,
        "sample_rate": network.view.sample_rate,
        "batch": list(batch),
        "computed": computed_on(network.device),
        "versions": {version.NAME: version.VERSION},
    }


def _edits(output: Output, gain_db: float, samples: int) -> list[dict[str, Any]]:
    edits: list[dict[str, Any]] = []
    if gain_db:
        edits.append({"edit": "lower_peak", "gain_db": gain_db})
    if output.trim:
        edits.append({"edit": "trim_tail", "floor_db": TRIM_FLOOR_DB, "samples": samples})
    return edits


def computed_on(device: torch.device) -> dict[str, Any]:
    """Name what the last bits depend on: the kind of device, torch's version, the CPU's number of threads."""
    if device.type == "cuda":
        return {"device": torch.cuda.get_device_name(device), "torch": torch.__version__}
    return {"device": device.type, "threads": torch.get_num_threads(), "torch": torch.__version__}


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
    seed, batch = int(values["seed"]), tuple(int(s) for s in values["batch"])
    if seed not in batch or len(batch) > MAXIMUM_BATCH or not all(0 <= s <= MAXIMUM_SEED for s in batch):
        raise ValueError("its seed is not in its batch")
    x, y = (float(v) for v in values["translate"])
    chosen = values["class"]
    index = None if chosen is None else int(chosen["index"])
    return Recipe(
        network_sha256=str(values["network"]["sha256"]),
        network_file=str(values["network"]["file"]),
        seed=seed,
        batch=batch,
        settings=Settings(float(values["psi"]), str(values["noise_mode"]), index, (x, y), float(values["rotate"])),
        output=Output(
            check_subtype(str(values["subtype"])), any(edit["edit"] == "trim_tail" for edit in values["edits"])
        ),
        computed={str(k): v for k, v in values["computed"].items()},
    )
