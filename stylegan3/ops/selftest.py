# SPDX-License-Identifier: Apache-2.0
"""Whether an engine computes what plain PyTorch does on this machine: values, gradients and the gradients of those.

A miscompiled kernel or a driver that lies must not spoil a training of days: an engine serves only after this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.filters import lowpass
from stylegan3.ops.plans import Plan, plan_for
from stylegan3.ops.resampling import Taps
from stylegan3.ops.tiles import Tiles
from stylegan3.ops.winograd import winograd

if TYPE_CHECKING:
    from stylegan3.ops.engines import Engine

ALLOWED = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
"""Largest difference relative to the largest value, by precision: some roundings of sums of about 50 products."""


@dataclass(frozen=True)
class Case:
    """One layer: resampling, padding and canvas."""

    up: int
    down: int
    padding: tuple[int, int, int, int]
    size: tuple[int, int]

    def taps(self, factor: int) -> Taps:
        """Return a filter as in StyleGAN3: six taps a raised sample, one where nothing is resampled."""
        return tuple(lowpass(6 * factor, 8.0, 12.0, 64.0).tolist()) if factor > 1 else (1.0,)

    @property
    def plan(self) -> Plan:
        """The layer's plan, with a clamp that some samples reach."""
        shape = (2.0**0.5, 0.2, 1.5)
        return plan_for(
            self.taps(self.up), self.taps(self.down), self.up, self.down, self.padding, self.size, shape, False
        )


CASES = (
    Case(2, 2, (9, 8, 9, 8), (21, 37)),
    Case(4, 2, (-6, -9, -6, -9), (23, 18)),
    Case(2, 2, (-11, -12, -11, -12), (75, 70)),
    Case(1, 1, (0, 0, 0, 0), (9, 5)),
)


def draw(shape: tuple[int, ...], seed: int, kind: torch.dtype, device: torch.device) -> Tensor:
    """Return seeded normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device, kind)


def _difference(found: Tensor, right: Tensor) -> float:
    return float((found.double() - right.double()).abs().max() / right.double().abs().max())


def differences(engine: Engine, case: Case, kind: torch.dtype, device: torch.device) -> dict[str, float]:
    """Return the differences to plain PyTorch on the same numbers in float32 (float64 where that is asked), relative.

    The value's is the largest; those of the gradients are in the mean square, since a raised sample on a kink may fall
    to either side.
    """
    plan, wide = case.plan, torch.promote_types(kind, torch.float32)
    x, b = draw((2, 3, *case.size), 0, kind, device), draw((3,), 1, kind, device)
    right = Tiles()
    y, kept = engine.forward(x, b, plan, True)
    expected, kept_right = right.forward(x.to(wide), b.to(wide), plan, True)
    found = {"value": _difference(y, expected)}
    for name, size, backward in (("gradient", plan.size, True), ("second gradient", case.size, False)):
        g = draw((2, 3, *size), 2, kind, device)
        theirs = right.linear(g.to(wide), kept_right, plan, backward).double()
        ours = engine.linear(g, kept, plan, backward).double()
        found[name] = float((ours - theirs).norm() / theirs.norm())
    return found


def failure(engine: Engine, kind: torch.dtype, device: torch.device) -> str | None:
    """Return what an engine computes wrongly; None where it computes all cases rightly."""
    for case in CASES:
        for name, found in differences(engine, case, kind, device).items():
            if not found <= ALLOWED[kind]:  # NaN too
                allowed = f"{found:.1e} (allowed: {ALLOWED[kind]:.0e})"
                return f"{name} off by {allowed} at up {case.up}, down {case.down}, {kind}"
    return None


def convolution_failure() -> str | None:
    """Return what the CPU's Winograd convolution computes wrongly; None where it is right."""
    cpu = torch.device("cpu")
    x, w = draw((2, 17, 30, 23), 0, torch.float32, cpu), draw((18, 17, 3, 3), 1, torch.float32, cpu)
    found = _difference(winograd(x, w, 1), F.conv2d(x, w, padding=1))
    return None if found <= ALLOWED[torch.float32] else f"off by {found:.1e}"
