# SPDX-License-Identifier: Apache-2.0
"""Snapshots and training states of a run: written, pruned, read. No time, path or machine goes into them.

A network snapshot holds G_ema and all that gen_audio needs. A training state holds every tensor and counter; the older
ones keep G, D and G_ema only.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from patches.errors import UserError
from patches.runs import tensorfile
from patches.runs.directory import NETWORK, STATE, Run
from stylegan3.training.trainer import NETWORKS, Trainer


class Snapshots:
    """Writes a run's snapshots and states.

    Args:
        description: what goes into every header: view, classes, cfg, patches, ...
        keep: so many states keep their optimisers.
    """

    def __init__(self, run: Run, description: dict[str, Any], keep: int) -> None:
        self._run, self._description, self._keep = run, description, keep
        self.last: Path | None = None

    def write(self, trainer: Trainer, *, between: bool = False) -> Path:
        """Write the network and then the state; prune the older ones.

        Raises:
            UserError: the disk is full, or the networks hold values that aren't finite. What was there stays.
        """
        state = trainer.state()
        networks = {name: tensor for name, tensor in state.items() if name.split(".")[0] in NETWORKS}
        if not tensorfile.is_finite(networks):
            raise UserError(f"the networks hold values that are not finite after {trainer.images} images")
        header = {**self._description, "images": trainer.images, "kimg": trainer.images / 1000}
        former = self._run.between()
        mean = {name: tensor for name, tensor in networks.items() if name.startswith("G_ema.")}
        network = self._run.file(NETWORK, trainer.images, between=between)
        tensorfile.save(network, mean, {**header, "kind": "network"})
        path = self._run.file(STATE, trainer.images, between=between)
        tensorfile.save(path, state, {**header, "kind": "training-state", "pruned": False})
        for leftover in former:
            if leftover not in (path, network):
                leftover.unlink()
        self.last = path
        self._prune()
        return path

    def _prune(self) -> None:
        for path in self._run.states()[: -self._keep]:
            if not tensorfile.read_header(path)["pruned"]:
                tensors, header = tensorfile.load(path)
                kept = {name: tensor for name, tensor in tensors.items() if "_optimizer." not in name}
                tensorfile.save(path, kept, {**header, "pruned": True})


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a training state's tensors and header.

    Raises:
        UserError: not a training state.
    """
    tensors, header = tensorfile.load(path)
    if header.get("kind") != "training-state":
        raise UserError(f"{path}: a {header.get('kind', 'file')} of this program, not a training state")
    return tensors, header
