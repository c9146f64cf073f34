# SPDX-License-Identifier: Apache-2.0
"""Finding network snapshots by the names people type, and opening them. A snapshot is all that generation needs."""

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from patches.conditions import Conditions
from patches.data import fetched
from patches.errors import UserError
from patches.generate.tempo import Tempo
from patches.runs import tensorfile
from patches.runs.directory import NETWORK, STATE, number_of
from patches.runs.states import VERSION
from patches.views import View
from spect.archive.sets import CLASSES, PRIMARY
from spect.storage.address import Address, is_address
from spect.storage.send import listed
from stylegan3.networks import Generator, GeneratorSpec, build_generator, compute_with
from stylegan3.ops.interfaces import Impl


@dataclass(frozen=True)
class Network:
    """A trained generator with all that leads from a seed to a sound. `digest` is the file's sha256."""

    path: Path
    digest: str
    generator: Generator
    view: View
    conditions: Conditions
    cfg: str
    images: int
    device: torch.device
    tempo: Tempo | None = None
    ops: Impl = "auto"

    @property
    def kimg(self) -> float:
        return self.images / 1000

    @property
    def loops(self) -> bool:
        """Its sounds are loops, of an exact number of beats."""
        return self.tempo is not None and self.tempo.beats is not None


def find_networks(names: Sequence[str]) -> list[Path]:
    """Resolve what --network was given: files, run directories (newest snapshot), patterns; each file once.

    A name that ends in .pkl finds the .safetensors beside it, so that the reference's command lines run.

    Raises:
        UserError: a name that finds nothing, or a file of another kind, in one line with the one to take instead.
    """
    found: dict[Path, None] = {}
    for name in names:
        found.update(dict.fromkeys(_find(name)))
    return list(found)


def _fetched(address: Address) -> Path:
    """Bring a snapshot, or the newest of a run, from an address."""
    if address.name.endswith(".safetensors"):
        return fetched(address)
    snapshots = [name for name in listed(address) if name.startswith(NETWORK) and name.endswith(".safetensors")]
    if not snapshots:
        raise UserError(
            f"--network={address}: no {NETWORK}*.safetensors there; give the address of a run or a snapshot"
        )
    return fetched(address.child(max(snapshots, key=lambda name: number_of(Path(name)))))


def _find(name: str) -> list[Path]:
    if is_address(name):
        return [_fetched(Address(name))]
    path = Path(name)
    if path.is_dir():
        return [_newest(path)]
    if not path.exists() and glob.has_magic(name):
        return _matching(name)
    if path.suffix == ".pkl":
        return [_beside_pickle(path)]
    if path.name.startswith(STATE) and path.is_file():
        raise _is_a_state(path)
    return [path]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Order names by the numbers in them: 2 before 10, and 10 before 10.312 (written between two snapshots)."""
    parts = re.split(r"(\d+)", str(path.with_suffix("")))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _matching(pattern: str) -> list[Path]:
    patterns = (pattern, re.sub(r"\.pkl$", ".safetensors", pattern))
    named = {Path(name) for each in patterns for name in glob.glob(each, recursive=True)}
    found = {path.with_suffix(".safetensors") for path in named if path.suffix in (".pkl", ".safetensors")}
    snapshots = sorted((p for p in found if p.is_file() and not p.name.startswith(STATE)), key=_natural)
    if not snapshots:
        raise UserError(f"--network={pattern}: no network-snapshot-*.safetensors matches this pattern")
    return snapshots


def _newest(folder: Path) -> Path:
    """Return the last snapshot of a run, or of the run written last where the folder holds runs."""
    for depth in ("", "*/", "*/*/"):
        runs: dict[Path, list[Path]] = {}
        for snapshot in folder.glob(f"{depth}{NETWORK}*.safetensors"):
            runs.setdefault(snapshot.parent, []).append(snapshot)
        last = [max(snapshots, key=_natural) for snapshots in runs.values()]
        if last:
            return max(last, key=lambda path: (path.stat().st_mtime, _natural(path)))
    raise UserError(f"--network={folder}: no network-snapshot-*.safetensors in this folder; give a run's directory")


def _beside_pickle(path: Path) -> Path:
    beside = path.with_suffix(".safetensors")
    if beside.is_file():
        return beside
    if path.is_file():
        raise UserError(
            f"--network={path}: a pickle, which may hold code and is not opened; "
            "sounds come from the .safetensors that train.py wrote (train.py --resume fine-tunes a .pkl of NVIDIA's)"
        )
    raise UserError(f"--network={path}: no such file, and no {beside.name} beside it")


def _is_a_state(path: Path) -> UserError:
    beside = path.with_name(path.name.replace(STATE, NETWORK))
    hint = f"give {beside}" if beside.is_file() else f"give the {NETWORK}*.safetensors of its run"
    return UserError(f"--network={path}: a training state, not a network; {hint}")


def open_network(path: Path, device: torch.device, ops: Impl = "auto") -> Network:
    """Open a network snapshot of ours on a device.

    Raises:
        UserError: not a whole file, another kind of file, a newer version, or a network that makes no sounds.
    """
    header = tensorfile.read_header(path)
    _check_kind(path, header)
    try:
        view = View.from_dict(header["view"])
        spec = GeneratorSpec.from_dict(header["generator"])
        conditions = _conditions(header, spec.c_dim)
        tempo = Tempo.from_header(header.get("tempo"))
        generator = build_generator(spec, torch.Generator().manual_seed(0))
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: its header is damaged ({type(error).__name__}: {error})") from error
    if spec.shape != view.shape:
        raise UserError(f"{path}: damaged: its network makes {spec.shape} and its view takes {view.shape}")
    tensors, _ = tensorfile.load(path, "G_ema.")
    _fill(path, generator, tensors)
    compute_with(generator, ops)
    return Network(
        path=path,
        digest=tensorfile.digest(path),
        generator=generator.to(device).eval().requires_grad_(False),
        view=view,
        conditions=conditions,
        cfg=str(header.get("cfg", spec.kind)),
        images=int(header.get("images", 0)),
        device=device,
        tempo=tempo,
        ops=ops,
    )


def read_conditions(path: Path) -> Conditions:
    """Read what a snapshot's network is told, without opening the network.

    Raises:
        UserError: it is no whole snapshot.
    """
    header = tensorfile.read_header(path)
    _check_kind(path, header)
    try:
        return _conditions(header, GeneratorSpec.from_dict(header["generator"]).c_dim)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: its header is damaged ({type(error).__name__}: {error})") from error


def _check_kind(path: Path, header: dict[str, Any]) -> None:
    kind = header.get("kind")
    if kind != "network":
        if path.name.startswith(STATE) or "state" in str(kind):
            raise _is_a_state(path)
        raise UserError(f"{path}: holds a '{kind}', not a network; give a network-snapshot-*.safetensors")
    version = header.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise UserError(f"{path}: a network of version {version}, this program reads up to {VERSION}; update it")
    if header.get("view") is None:
        raise UserError(f"{path}: this network makes plain pictures (--patches=none), not sounds")


def _fill(path: Path, generator: Generator, tensors: dict[str, Tensor]) -> None:
    """Load weights by name, all or none."""
    own = generator.state_dict()
    missing, unexpected = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shaped = sorted(n for n in own.keys() & tensors.keys() if own[n].shape != tensors[n].shape)
    if missing or unexpected or shaped:
        raise UserError(
            f"{path}: not the network its header tells of: missing {missing[:3] or 'none'}, "
            f"unexpected {unexpected[:3] or 'none'}, of another shape {shaped[:3] or 'none'}"
        )
    generator.load_state_dict(tensors)


def _conditions(header: dict[str, Any], c_dim: int) -> Conditions:
    """Read what a network is told; one of an older version has classes alone, some of them without names."""
    listed = header.get("conditions")
    if listed is None:
        names = [str(name) for name in header.get("classes") or ()]
        names += [str(number) for number in range(len(names), c_dim)]
        listed = [{"name": PRIMARY, "kind": CLASSES, "classes": names[:c_dim]}] if c_dim else []
    conditions = Conditions.from_list(listed)
    if conditions.size != c_dim:
        raise TypeError(f"a network of {c_dim} numbers is told {conditions.size}")
    return conditions
