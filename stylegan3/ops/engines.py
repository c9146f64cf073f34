# SPDX-License-Identifier: Apache-2.0
"""Which way a filtered leaky relu is computed, chosen by device, precision and filter.

auto        the kernel that serves here, else plain PyTorch
fused       the kernel; an error where none serves
banded      plain PyTorch: banded matrix products
reference   the definition step by step, zeros inserted
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from stylegan3.ops.plans import Plan
from stylegan3.ops.tiles import Tiles
from stylegan3.ops.upfirdn import Impl

Kept = tuple[Tensor | None, ...]
TILES = Tiles()


class Engine(Protocol):
    """One way to run the pass of filtered_lrelu.py."""

    name: str

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, Kept]:
        """Return y = D phi(U (x + b)) and, where ``keep``, what ``linear`` needs."""

    def linear(self, g: Tensor, kept: Kept, plan: Plan, backward: bool) -> Tensor:
        """Return D (s . U g), or U^T (s . D^T g) where ``backward``."""


def engine_for(x: Tensor, plan: Plan, impl: Impl) -> Engine:
    """Return the engine for a tensor and a plan."""
    if impl == "banded":
        return TILES
    from stylegan3.ops.native import cpu

    if x.device.type == "cpu" and cpu.serves() and cpu.Cpu().why_not(x, plan) is None:
        return cpu.Cpu()
    return TILES
