# SPDX-License-Identifier: Apache-2.0
"""What a kernel must be able to do to serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from stylegan3.ops.plans import Plan
from stylegan3.ops.resampling import Terms

Impl = Literal["auto", "fused", "plain", "reference"]
"""Which way an operation is computed, see engines.py."""
Kept = tuple[Tensor | None, ...]


class Engine(Protocol):
    """One way to run the pass of filtered_lrelu.py."""

    name: str

    def why_not(self, x: Tensor, plan: Plan) -> str | None:
        """Return why it can't serve a tensor and a plan; None where it can."""

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, Kept]:
        """Return y = D phi(U (x + b)) and, where ``keep``, what ``linear`` needs."""

    def linear(self, g: Tensor, kept: Kept, plan: Plan, backward: bool) -> Tensor:
        """Return D (s . U g), or U^T (s . D^T g) where ``backward``."""


Resampler = Callable[[Tensor, Terms], Tensor]
"""Applies a sum of (row band, column band) products to pictures [N, C, H, W]; no gradient of its own."""


class Scaler(Protocol):
    """Scales channels of pictures, with gradients to any order."""

    def __call__(self, x: Tensor, scale: Tensor, to: torch.memory_format | None = None) -> Tensor:
        """Return x [N, C, H, W] times scale [N, C], in the layout `to`, or as x lies."""


class Styler(Protocol):
    """Runs styled.py's formula in one pass, with gradients to any order."""

    def __call__(
        self,
        conv: Tensor,
        d: Tensor | None,
        level: Tensor | None,
        bias: Tensor | None,
        *,
        gain: float,
        clamp: float | None,
    ) -> Tensor:
        """Return clamp(gain * leaky_relu(conv d + level + bias)); None is d = 1, level = 0, bias = 0."""


@dataclass(frozen=True)
class Kernels:
    """What a device has: an engine and, by tensor, other kernels (None where none serves it).

    The styler is asked for with the convolution's result, or a tensor like it.
    """

    engine: Engine
    resampler: Callable[[Tensor, Terms], Resampler | None]
    styler: Callable[[Tensor], Styler | None] = lambda conv: None
    scaler: Callable[[Tensor], Scaler | None] = lambda x: None
