# SPDX-License-Identifier: Apache-2.0
"""Phases by chance, each item's from its own seed: the same in any batch and on any device."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def random_phase(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Draw phases uniform on the circle, in radians, on the CPU. Shape: N seeds -> float32 [N, *shape]."""
    drawn = torch.empty(len(seeds), *shape)
    for item, seed in zip(drawn, seeds, strict=True):
        item.uniform_(-math.pi, math.pi, generator=torch.Generator().manual_seed(seed))
    return drawn
