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
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops import selftest
from stylegan3.ops.native import cpu
from stylegan3.ops.native.build import BuildError
from stylegan3.ops.plans import Plan
from stylegan3.ops.resampling import Terms
from stylegan3.ops.tiles import Tiles

Impl = Literal["auto", "fused", "plain", "reference"]
OPS = ("auto", "reference", "fused")  # what a user chooses from
Kept = tuple[Tensor | None, ...]
TILES = Tiles()
COST = {
    "cpu": "StyleGAN3 and StyleGAN2 take two to three times as long",
    "cuda": "StyleGAN3 takes several times as long",
}

log = logging.getLogger(__name__)


class Engine(Protocol):
    """One way to run the pass of filtered_lrelu.py."""

    name: str

    def why_not(self, x: Tensor, plan: Plan) -> str | None:
        """Return why it can't serve a tensor and a plan; None where it can."""

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, Kept]:
        """Return y = D phi(U (x + b)) and, where ``keep``, what ``linear`` needs."""

    def linear(self, g: Tensor, kept: Kept, plan: Plan, backward: bool) -> Tensor:
        """Return D (s . U g), or U^T (s . D^T g) where ``backward``."""

    def resamples(self, x: Tensor, terms: Terms) -> bool:
        """Return whether it can resample a tensor."""

    def resample(self, x: Tensor, terms: Terms) -> Tensor:
        """Apply a sum of (row band, column band) products to pictures [N, C, H, W]."""


@dataclass(frozen=True)
class Choice:
    """The kernels of a device, or None, and why."""

    engine: Engine | None
    reason: str


def _cpu() -> Engine:
    cpu.library()
    wrong = selftest.convolution_failure()
    if wrong is not None:
        raise BuildError(f"the convolution failed its self-test: {wrong}")
    return cpu.Cpu()


MAKERS: dict[str, list[tuple[str, Callable[[], Engine]]]] = {"cpu": [("C++", _cpu)], "cuda": []}


def tested(make: Callable[[], Engine], device: torch.device) -> Engine:
    """Make an engine and test it.

    Raises:
        BuildError: where it can't be had or computes wrongly.
    """
    engine = make()
    wrong = selftest.failure(engine, torch.float32, device)
    if wrong is not None:
        raise BuildError(f"failed its self-test: {wrong}")
    return engine


@cache
def choice(device: torch.device) -> Choice:
    """Return the kernels of a device; chosen once, and a failure told once."""
    errors = []
    for name, make in MAKERS.get(device.type, []):
        try:
            return Choice(tested(make, device), "it passed its self-test here")
        except (BuildError, RuntimeError) as error:
            errors.append(f"{name}: {error}")
    reason = "; ".join(errors) or f"there are none for {device.type}"
    if errors:
        cost = COST.get(device.type, "")
        log.warning("No fused kernels on %s, plain PyTorch serves: %s. The reason: %s", device, cost, reason)
    return Choice(None, reason)


def served_by(device: torch.device, impl: Impl) -> str:
    """Name what computes on a device under this choice: on it the last bits of results depend.

    Raises:
        NetworkError: where 'fused' is asked and the device has no kernels.
    """
    if impl == "reference":
        return "reference"
    kernels = kernels_for(torch.empty(0, device=device), impl)
    return TILES.name if kernels is None else kernels.name


def told(device: torch.device, impl: Impl) -> str:
    """Tell the choice and its reason in one line.

    Raises:
        NetworkError: where 'fused' is asked and the device has no kernels.
    """
    name = served_by(device, impl)
    if impl in ("plain", "reference"):
        return f"{name}, as asked"
    return f"{name} ({choice(torch.empty(0, device=device).device).reason})"


def engine_for(x: Tensor, plan: Plan, impl: Impl) -> Engine:
    """Return the engine for a tensor and a plan.

    Raises:
        NetworkError: where 'fused' is asked and the device has no kernels.
    """
    if impl == "plain":
        return TILES
    kernels = kernels_for(x, impl)
    return kernels if kernels is not None and kernels.why_not(x, plan) is None else TILES


def kernels_for(x: Tensor, impl: Impl) -> Engine | None:
    """Return the kernels that a tensor's device has under this choice, or None.

    Raises:
        NetworkError: where 'fused' is asked and the device has none.
    """
    if impl in ("plain", "reference"):
        return None
    found = choice(x.device)
    if found.engine is None and impl == "fused":
        raise NetworkError(f"--ops=fused: no kernels on {x.device} ({found.reason}); --ops=auto runs without")
    return found.engine
