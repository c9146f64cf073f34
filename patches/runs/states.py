# SPDX-License-Identifier: Apache-2.0
"""Snapshots and training states of a run: written, pruned, read. No time, path or machine goes into them.

A network snapshot holds G_ema and all that gen_audio needs. A training state holds every tensor and counter; the older
ones lose their optimisers, G, D and G_ema stay. The state is written last: where it stands, all of its moment does.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from patches.errors import UserError
from patches.runs import tensorfile
from patches.runs.directory import NETWORK, STATE, Run, stamp
from stylegan3.training.trainer import NETWORKS, Trainer

VERSION = 1
"""Of what a snapshot and a state hold."""


@dataclass(frozen=True)
class Moment:
    """A copy of all that a trainer held when it had shown so many pictures; the training goes on meanwhile."""

    images: int
    batch: int
    tensors: dict[str, Tensor]

    @classmethod
    def of(cls, trainer: Trainer) -> "Moment":
        """Copy a trainer's state, on its device."""
        tensors = {name: tensor.clone() for name, tensor in trainer.state().items()}
        return cls(trainer.images, trainer.setup.hyper.batch, tensors)


class Snapshots:
    """Writes a run's snapshots and states.

    Args:
        description: what goes into every header: view, classes, cfg, patches, ...
        keep: so many states keep their optimisers.
        last: the newest state that is there.
    """

    def __init__(self, run: Run, description: dict[str, Any], keep: int, last: Path | None = None) -> None:
        self._run, self._description, self._keep = run, description, keep
        self.last = last
        self._images: int | None = None

    def write(self, moment: Moment, *, between: bool = False) -> Path:
        """Write the network and then the state; prune the older ones.

        Args:
            between: the run stops here, off its rhythm; these two files go when the next ones are written.

        Raises:
            UserError: the disk is full, or the networks hold values that aren't finite. What was there stays.
        """
        if self.last is not None and self._images == moment.images:
            return self.last  # stopped right at a snapshot
        networks = {name: tensor for name, tensor in moment.tensors.items() if name.split(".")[0] in NETWORKS}
        if not tensorfile.is_finite(networks):
            raise UserError(
                f"the networks hold values that are not finite after {moment.images} pictures; the last good state "
                f"is {self.last}; try a smaller --glr and --dlr, or another --gamma"
            )
        mean = {name: tensor for name, tensor in networks.items() if name.startswith("G_ema.")}
        number = stamp(moment.images, moment.batch)
        header = {
            **self._description,
            "version": VERSION,
            "images": moment.images,
            "kimg": moment.images / 1000,
        }
        tensorfile.save(self._run.file(NETWORK, number), mean, {**header, "kind": "network"})
        path = self._run.file(STATE, number)
        tensorfile.save(path, moment.tensors, {**header, "kind": "training-state", "pruned": False, "between": between})
        self.last, self._images = path, moment.images
        self._tidy()
        return path

    def _tidy(self) -> None:
        """Remove states that were written between two snapshots, then prune the older ones."""
        headers = {path: tensorfile.read_header(path) for path in self._run.states()}
        regular = [path for path, header in headers.items() if path == self.last or not header["between"]]
        for path in headers.keys() - set(regular):
            path.with_name(path.name.replace(STATE, NETWORK)).unlink(missing_ok=True)
            path.unlink()
        for path in regular[: -self._keep]:
            if not headers[path]["pruned"]:
                prune(path)


def prune(path: Path) -> None:
    """Drop a state's optimisers."""
    tensors, header = tensorfile.load(path, wanted=lambda name: "_optimizer." not in name)
    tensorfile.save(path, tensors, {**header, "pruned": True})


def state_header(path: Path) -> dict[str, Any]:
    """Return a training state's header.

    Raises:
        UserError: not a training state, or one of a newer version.
    """
    header = tensorfile.read_header(path)
    if header.get("kind") != "training-state":
        raise UserError(f"{path}: a '{header.get('kind', 'file')}' of this program, not a training state")
    if header["version"] > VERSION:
        raise UserError(f"{path}: a state of version {header['version']}, this program reads up to {VERSION}")
    return header


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a training state's tensors and header.

    Raises:
        UserError: not a training state.
    """
    header = state_header(path)
    return tensorfile.load(path)[0], header
