# SPDX-License-Identifier: Apache-2.0
"""Which way the operations are computed.

    auto        the kernels that serve here, else plain PyTorch
    fused       the kernels; an error where none serves
    plain       PyTorch alone, without needless arithmetic (banded matrix products)
    reference   the definitions step by step, zeros inserted

A kernel serves a device only after it has passed its self-test there. One that can't be had, or fails, is told once,
with its error and what its absence costs. Filters that no kernel takes (radial ones) go through plain PyTorch in any
case.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops import makers, selftest
from stylegan3.ops.interfaces import Engine, Impl, Kernels
from stylegan3.ops.native.build import BuildError
from stylegan3.ops.plans import Plan
from stylegan3.ops.tiles import Tiles

LINE = 160  # characters of a reason in one line; the warning has it whole
OPS = ("auto", "reference", "fused")  # what a user chooses from
TILES = Tiles()
FIRST = "kernels are built and tested on this machine first, once: a minute on a CPU, some on a card"
COST = {
    "cpu": "StyleGAN3 takes four times as long, StyleGAN2 nearly twice",
    "cuda": "StyleGAN3 takes several times as long",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """The kernels of a device, or None, and why."""

    kernels: Kernels | None
    reason: str


MAKERS: dict[str, list[tuple[str, Callable[[], Kernels]]]] = {
    "cpu": [("C++", makers.cpp)],
    "cuda": [("Triton", makers.triton), ("CUDA C++", makers.cuda)],
}


@dataclass(frozen=True)
class Tested:
    """Kernels that passed, and what a layer of StyleGAN3 takes with them."""

    kernels: Kernels
    milliseconds: float


def tested(name: str, device: torch.device) -> Tested:
    """Make the kernels of a name and test them, once for each device, torch and source.

    Raises:
        BuildError: where they can't be had or compute wrongly.
    """
    kernels = dict(MAKERS[device.type])[name]()
    record = selftest.record_of(name, device)
    known = record.recalled()
    if known is not None:
        return Tested(kernels, known)
    wrong = selftest.failure(kernels, device)
    if wrong is not None:
        raise BuildError(f"failed its self-test: {wrong}")
    found = selftest.milliseconds(kernels.engine, device)
    record.keep(found)
    return Tested(kernels, found)


@cache
def choice(device: torch.device) -> Choice:
    """Return the kernels of a device; chosen once, and a failure told once. Of several that pass, the fastest."""
    good: dict[str, Tested] = {}
    errors = []
    for name, _ in MAKERS.get(device.type, []):
        try:
            good[name] = tested(name, device)
        except Exception as error:  # compilers, drivers and loaders raise what they like: it is told
            errors.append(f"{name}: {error or type(error).__name__}")
    if good:
        first, *others = sorted(good, key=lambda name: good[name].milliseconds)
        than = "".join(f", {good[name].milliseconds / good[first].milliseconds:.1f}x {name}'s speed" for name in others)
        failed = "".join(f"; {error}" for error in errors)
        return Choice(good[first].kernels, f"passed its self-test here{than}{failed}")
    reason = "; ".join(errors) or f"there are none for {device.type}"
    if errors:
        cost = COST.get(device.type, "")
        log.warning("No fused kernels on %s, plain PyTorch serves: %s. The reason: %s", device, cost, reason)
    return Choice(None, reason)


def kernels_for(x: Tensor, impl: Impl) -> Kernels | None:
    """Return the kernels that a tensor's device has under this choice, or None.

    Raises:
        NetworkError: where 'fused' is asked and the device has none.
    """
    if impl in ("plain", "reference"):
        return None
    found = choice(x.device)
    if found.kernels is None and impl == "fused":
        raise NetworkError(f"--ops=fused: no kernels on {x.device} ({found.reason}); --ops=auto runs without")
    return found.kernels


def engine_for(x: Tensor, plan: Plan, impl: Impl) -> Engine:
    """Return the engine for a tensor and a plan.

    Raises:
        NetworkError: where 'fused' is asked and the device has no kernels.
    """
    kernels = kernels_for(x, impl)
    return TILES if kernels is None or kernels.engine.why_not(x, plan) is not None else kernels.engine


def served_by(device: torch.device, impl: Impl) -> str:
    """Name what computes on a device under this choice: on it the last bits of results depend.

    Raises:
        NetworkError: where 'fused' is asked and the device has no kernels.
    """
    if impl == "reference":
        return "reference"
    kernels = kernels_for(torch.empty(0, device=device), impl)
    return TILES.name if kernels is None else kernels.engine.name


def announced(device: torch.device, impl: Impl) -> Iterator[str]:
    """Yield what `told` returns and, where that takes a while since nothing has passed there yet, a line before it.

    Raises:
        NetworkError: where 'fused' is asked and the device has no kernels.
    """
    known = [selftest.record_of(name, device).recalled() for name, _ in MAKERS.get(device.type, [])]
    if impl not in ("plain", "reference") and known and not any(known):
        yield FIRST
    yield told(device, impl)


def told(device: torch.device, impl: Impl) -> str:
    """Tell the choice and its reason in one line.

    Raises:
        NetworkError: where 'fused' is asked and the device has no kernels.
    """
    name = served_by(device, impl)
    if impl in ("plain", "reference"):
        return f"{name}, as asked"
    reason = " ".join(choice(torch.empty(0, device=device).device).reason.split())
    return f"{name} ({reason if len(reason) <= LINE else reason[:LINE] + ' ...'})"
