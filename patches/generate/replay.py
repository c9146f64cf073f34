# SPDX-License-Identifier: Apache-2.0
"""Make sounds again from their recipes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from patches.errors import UserError
from patches.generate.choices import Output, check_subtype
from patches.generate.files import OutputFolder, file_stem, write_sound
from patches.generate.network import Network
from patches.generate.recipe import Recipe, computed_on
from patches.generate.sweep import Outcome, Step, open_snapshot
from patches.generate.synthesis import settled, synthesize
from patches.runs import tensorfile
from stylegan3.ops import engines
from stylegan3.ops.engines import TILES
from stylegan3.ops.interfaces import Impl

MOST_THREADS = 1024  # a recipe may come from anyone


@dataclass(frozen=True)
class Replay:
    """Make sounds again from their recipes, by the snapshot whose hash each names."""

    paths: list[Path]
    recipes: list[Recipe]
    subtype: str | None
    trim: bool | None
    npy: bool
    outdir: Path
    device: torch.device
    ops: Impl = "auto"

    @property
    def sounds(self) -> int:
        """How many sounds there are to make."""
        return len(self.recipes)

    def announcement(self) -> Iterator[str]:
        """Say what will be done."""
        yield f"{len(self.recipes)} recipe{'s' * (len(self.recipes) != 1)}, on {self.device}"
        for line in engines.announced(self.device, self.ops):
            yield f"Operations: {line}"

    def run(self, step: Step) -> Outcome:
        """Write the sound of each recipe; same device, same torch: the same bytes.

        Raises:
            UserError: no snapshot given has a recipe's hash, or nothing could be opened.
        """
        files = {tensorfile.digest(path): path for path in self.paths}
        for recipe in self.recipes:
            check_hash(files, recipe)
        networks = {digest: open_snapshot(files[digest], self.device, self.ops) for digest in self._wanted()}
        self._check_names(networks)
        outcome = Outcome(subtype=self._output(self.recipes[0]).subtype)
        with OutputFolder(self.outdir):
            for recipe in self.recipes:
                self._one(networks[recipe.network_sha256], recipe, outcome)
                step(1)
        return outcome

    def _check_names(self, networks: Mapping[str, Network]) -> None:
        made: dict[str, Recipe] = {}
        for recipe in self.recipes:
            stem = file_stem(recipe.point, recipe.settings_for(networks[recipe.network_sha256]))
            if made.setdefault(stem, recipe) != recipe:
                raise UserError(f"--recipe: more than one makes {stem}.wav; give each an --outdir of its own")

    def _wanted(self) -> dict[str, None]:
        return dict.fromkeys(recipe.network_sha256 for recipe in self.recipes)

    def _output(self, recipe: Recipe) -> Output:
        trim = recipe.output.trim if self.trim is None else self.trim
        return Output(recipe.output.subtype if self.subtype is None else check_subtype(self.subtype), trim, self.npy)

    def _one(self, network: Network, recipe: Recipe, outcome: Outcome) -> None:
        with settled(_threads(recipe, self.device)):
            if (now := computed_on(network)) != {"ops": TILES.name, **recipe.computed}:  # once there was no other way
                outcome.notes.append(
                    f"{recipe.point.told}: made with {_told(recipe.computed)}, again with {_told(now)}: "
                    "the same sound to about 1e-5 of its peak, perhaps not to the bit"
                )
            settings = recipe.settings_for(network)
            batch = synthesize(network, recipe.batch, settings)
            outcome.took(batch)
            written = write_sound(self.outdir, network, batch, recipe.place, settings, self._output(recipe))
        if written is None:
            raise UserError(f"{recipe.point.told} of {network.path.name} holds NaN or infinity; nothing to write")
        outcome.written.append(written)
        outcome.sample_rate = network.view.sample_rate


def _told(computed: Mapping[str, Any]) -> str:
    ops = computed.get("ops", TILES.name)
    return f"torch {computed.get('torch')} on {computed.get('device')}, by {ops}"


def _threads(recipe: Recipe, device: torch.device) -> int | None:
    """Return the CPU's threads that a recipe was computed with: they decide the last bits of sums."""
    threads = recipe.computed.get("threads")
    if device.type == "cpu" and isinstance(threads, int) and 1 <= threads <= MOST_THREADS:
        return threads
    return None


def check_hash(files: Mapping[str, Path], recipe: Recipe) -> None:
    """Check that one of the files (by their hash) made a recipe's sound.

    Raises:
        UserError: none did; both hashes are named.
    """
    if recipe.network_sha256 in files:
        return
    given = ", ".join(f"{path.name} (sha256 {digest[:16]}...)" for digest, path in files.items())
    raise UserError(
        f"--recipe: it was made by {recipe.network_file} (sha256 {recipe.network_sha256[:16]}...), "
        f"--network gives {given}; give the snapshot that made it"
    )
