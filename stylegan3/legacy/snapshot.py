# SPDX-License-Identifier: Apache-2.0
"""From a .pkl snapshot to named networks: flat state dicts and the arguments that their classes were made with."""

import io
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from stylegan3.errors import NetworkError
from stylegan3.legacy.machine import Value, unwrap
from stylegan3.legacy.program import run
from stylegan3.legacy.standins import MEANINGS, PersistentModule, to_tensor

NETWORKS = ("G", "D", "G_ema")
MAX_DEPTH = 32  # of modules in modules; the reference's networks are 4 deep
MAX_NUMBER = 2**20  # of an argument; no layer, width or resolution comes near
MAX_ARGUMENTS = 200  # the reference's networks have about 20
NESTED = ("synthesis_kwargs",)  # keyword groups that the reference's older networks passed on as they were
OTHER_KINDS = {b"PK\x03\x04": "a zip file", b"\x89PNG": "a picture", b"RIFF": "a wav file", b"\x89HDF": "an HDF5 file"}


@dataclass(frozen=True)
class ReferenceNetwork:
    """One network of a snapshot.

    Args:
        class_name: the reference's class ("Generator", "Discriminator").
        args, kwargs: what its constructor was given (plain Python values).
        state: tensors by the reference's names, parameters and buffers together.
        place: the file and the network's name in it, for what is said of it.
    """

    class_name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    state: dict[str, torch.Tensor]
    place: str = ""

    @property
    def config(self) -> dict[str, Any]:
        """The constructor's arguments as one dict, nested groups of synthesis arguments laid open."""
        if self.args:
            raise NetworkError(f"{self.class_name}: made with {len(self.args)} unnamed arguments; only named are read")
        flat = {key: value for key, value in self.kwargs.items() if key not in NESTED}
        for group in NESTED:
            flat.update(self.kwargs.get(group) or {})
        return flat


def read_snapshot(path: Path) -> dict[str, ReferenceNetwork]:
    """Read the networks G, D and G_ema of a reference snapshot, as far as they are there; nothing in it is executed.

    Raises:
        NetworkError: not such a file, truncated, or holding anything that a snapshot has no need of (named).
    """
    top = _unpickle(Path(path))
    if not isinstance(top, dict):
        raise NetworkError(f"{path}: holds {type(top).__name__}, not a snapshot's dict of G, D and G_ema")
    found = {name: unwrap(top.get(name)) for name in NETWORKS}
    modules = {name: module for name, module in found.items() if isinstance(module, PersistentModule)}
    if not modules:
        raise NetworkError(f"{path}: holds none of the networks {', '.join(NETWORKS)}: not a StyleGAN snapshot")
    try:
        return {name: _network(module, f"{path}: {name}") for name, module in modules.items()}
    except (NetworkError, TypeError) as error:
        raise NetworkError(f"{path}: {error}") from error


def _unpickle(path: Path) -> Value:
    try:
        with path.open("rb") as file:
            _refuse_other_kinds(path, file.read(8), path.stat().st_size)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                return _run(path, mapped)
    except OSError as error:
        raise NetworkError(f"{path}: can't be read ({error.strerror or error})") from error


def _refuse_other_kinds(path: Path, head: bytes, size: int) -> None:
    if not head:
        raise NetworkError(f"{path}: is empty; a StyleGAN snapshot (.pkl) is needed")
    kind = next((kind for start, kind in OTHER_KINDS.items() if head.startswith(start)), None)
    if len(head) == 8 and 0 < int.from_bytes(head, "little") < size:  # its first 8 bytes are the header's length
        kind = "a safetensors file"
    if kind:
        raise NetworkError(f"{path}: is {kind}, not a StyleGAN snapshot (.pkl)")


def _run(path: Path, mapped: mmap.mmap) -> Value:
    try:
        return run(cast(io.BufferedIOBase, mapped), MEANINGS)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        place, end = mapped.tell(), len(mapped)
        what = "ends too early (truncated?)" if place >= end else f"is damaged, or no pickle, at byte {place}"
        raise NetworkError(
            f"{path}: {what}; a StyleGAN snapshot (.pkl) is needed ({' '.join(str(error).split())[:100]})"
        ) from error


def _network(module: PersistentModule, place: str) -> ReferenceNetwork:
    args = _plain(module.state.get("_init_args", ()))
    kwargs = _plain(module.state.get("_init_kwargs", {}))
    if not isinstance(args, (tuple, list)) or not isinstance(kwargs, dict):
        raise NetworkError(f"{module.class_name} has no _init_kwargs: not a module of the reference")
    state: dict[str, torch.Tensor] = {}
    _collect(module, "", state, set(), 0)
    return ReferenceNetwork(module.class_name, tuple(args), kwargs, state, place)


def _collect(module: Value, prefix: str, into: dict[str, torch.Tensor], seen: set[int], depth: int) -> None:
    """Add the tensors of a module and of those inside it, names joined by dots."""
    inner = unwrap(module)
    if not isinstance(inner, PersistentModule):
        raise NetworkError(f"holds {type(inner).__name__} as the module {prefix[:80]!r}: refused")
    if id(inner) in seen or depth > MAX_DEPTH:
        raise NetworkError(f"holds the module {prefix[:80]!r} twice or inside itself: refused")
    seen.add(id(inner))
    passing = unwrap(inner.state.get("_non_persistent_buffers_set", ()))
    for group in ("_parameters", "_buffers"):
        for name, value in _group(inner, group).items():
            if name in passing:  # a buffer that the reference leaves out of its state dicts
                continue
            made = to_tensor(value)
            if made is None and unwrap(value) is not None:
                raise NetworkError(f"holds no tensor as {prefix}{name}")
            if made is not None:
                into[f"{prefix}{name}"] = made
    for name, child in _group(inner, "_modules").items():
        if unwrap(child) is not None:
            _collect(child, f"{prefix}{name}.", into, seen, depth + 1)


def _group(module: PersistentModule, name: str) -> dict[str, Value]:
    group = unwrap(module.state.get(name, {}))
    if not isinstance(group, dict):
        raise NetworkError(f"{module.class_name}.{name} is not a dict")
    return group


def _plain(value: Value, left: list[int] | None = None) -> Any:
    """Constructor arguments as plain values: numbers, text, None and lists, tuples and dicts of them.

    `left[0]` counts down from MAX_ARGUMENTS over all values, so that neither cycles nor repeated parts take long.
    """
    inner, left = unwrap(value), left or [MAX_ARGUMENTS]
    left[0] -= 1
    if left[0] == 0:
        raise NetworkError(f"holds more than {MAX_ARGUMENTS} arguments of one network")
    if isinstance(inner, int) and abs(inner) > MAX_NUMBER:
        raise NetworkError(f"holds a number beyond {MAX_NUMBER} among a network's arguments")
    if inner is None or isinstance(inner, (bool, int, float, str)):
        return inner
    if isinstance(inner, (list, tuple)):
        return type(inner)([_plain(item, left) for item in inner])
    if isinstance(inner, dict):
        return {str(key): _plain(item, left) for key, item in inner.items()}
    raise NetworkError(f"holds {type(inner).__name__} among a network's arguments; only numbers and text belong there")
