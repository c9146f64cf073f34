# SPDX-License-Identifier: Apache-2.0
"""The weights that a new run begins with: another run's (--finetune) or a NVIDIA snapshot's, as far as they fit.

Fine-tuning is a new run that starts at 0; what was and wasn't transferred is told by name.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from patches.canvases import Canvases
from patches.errors import UserError
from patches.runs import tensorfile
from patches.runs.assemble import Assembly
from patches.runs.directory import NETWORK, STATE, Run
from patches.runs.resume import newest
from stylegan3.legacy import as_discriminator, as_generator, read_snapshot
from stylegan3.networks import (
    Discriminator,
    DiscriminatorSpec,
    Generator,
    GeneratorSpec,
    build_discriminator,
    build_generator,
)
from stylegan3.recipe import Network
from stylegan3.training.trainer import NETWORKS, Trainer


def begin(source: str, assembly: Assembly) -> Callable[[Trainer], list[str]]:
    """Return what puts the weights that `source` names into a new trainer; it returns what to tell.

    Raises:
        UserError: there is no such file.
    """
    path = Path(source)
    if not path.exists():
        raise UserError(f"--finetune={source}: no such file or folder; give a run, a state, a snapshot or a .pkl")

    def bring(trainer: Trainer) -> list[str]:
        targets = {name: _target(trainer, name) for name in NETWORKS}
        sources = read_reference(path) if path.suffix == ".pkl" else read_own(path)
        carried = {name: assembly.recipe.transplant(source, targets[name]) for name, source in sources.items()}
        for name, result in carried.items():
            trainer.load_network(name, result.state)
        lines = [f"Fine-tuning a new run from {path} (not a continuation: optimisers and counters start at 0)"]
        lines += [] if path.suffix == ".pkl" else other_view(path, assembly.canvases)
        lines += [f"  {line}" for name, result in carried.items() for line in result.lines(name)]
        return lines + [f"  {name}: not in the file, starts fresh" for name in targets if name not in carried]

    return bring


def read_reference(path: Path) -> dict[str, Network]:
    """Read the networks of a NVIDIA .pkl as ours, by G, D and G_ema; one generator serves for both where one is there.

    Raises:
        NetworkError: it is no such file, or holds what can't be read. Nothing in it is executed.
    """
    found = read_snapshot(path)
    networks: dict[str, Network] = {name: as_generator(found[name]) for name in ("G", "G_ema") if name in found}
    if "D" in found:
        networks["D"] = as_discriminator(found["D"])
    return _both_generators(networks)


def read_own(path: Path) -> dict[str, Network]:
    """Read the networks of a run, a state, or a snapshot of ours (with the state beside it, where there is one).

    Raises:
        UserError: the file is none of these.
    """
    file, header = _own(path)
    present = NETWORKS if header["kind"] == "training-state" else ("G_ema",)
    return _both_generators({name: _source(header, name, tensorfile.load(file, f"{name}.")[0]) for name in present})


def other_view(path: Path, canvases: Canvases | None) -> list[str]:
    """Say where the source's networks see pictures of another kind than this run's: their weights mean less then."""
    theirs, mine = _own(path)[1].get("view"), canvases.view.to_dict() if canvases else None
    told = [_kind(view) for view in (theirs, mine)]
    return [f"  note: the source learned {told[0]}, this run learns {told[1]}"] if told[0] != told[1] else []


def _kind(view: Mapping[str, Any] | None) -> str:
    if view is None:
        return "plain pictures"
    seen = view["representation"]
    return f"the view {seen['name']} with {view['scaling']['name']} scaling at {seen['sample_rate']} Hz"


def _own(path: Path) -> tuple[Path, dict[str, Any]]:
    file = newest(Run(path)).state if path.is_dir() else _state_beside(path)
    if file is None:
        raise UserError(f"--finetune={path}: this run has no state yet; give another one")
    header = tensorfile.read_header(file)
    if "generator" not in header:
        raise UserError(f"--finetune={file}: holds no network; give a run, a state, a snapshot or a .pkl")
    return file, header


def _both_generators(networks: dict[str, Network]) -> dict[str, Network]:
    for name, other in (("G", "G_ema"), ("G_ema", "G")):
        if name not in networks and other in networks:
            networks[name] = networks[other]
    return networks


def _state_beside(path: Path) -> Path:
    state = path.with_name(path.name.replace(NETWORK, STATE))
    return state if state.exists() else path


def _source(header: dict[str, dict[str, object]], name: str, tensors: dict[str, Tensor]) -> Network:
    rng = torch.Generator().manual_seed(0)
    network: Network
    if name == "D":
        network = build_discriminator(DiscriminatorSpec.from_dict(header["discriminator"]), rng)
    else:
        network = build_generator(GeneratorSpec.from_dict(header["generator"]), rng)
    network.load_state_dict(tensors)
    return network


def _target(trainer: Trainer, name: str) -> Network:
    network = trainer.network(name)
    if not isinstance(network, (Generator, Discriminator)):
        raise UserError(f"--finetune: {name} is of a kind that takes over no weights")
    return network
