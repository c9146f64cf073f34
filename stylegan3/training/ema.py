# SPDX-License-Identifier: Apache-2.0
"""The generator's running mean G_ema: the network that snapshots hold and sounds are made with."""

import torch
from torch import nn


def ema_beta(batch: int, images: int, ema_kimg: float, rampup: float | None) -> float:
    """Return how much of the mean stays: 0.5^(batch / half-life), half-life = min(ema_kimg * 1000, rampup * images)."""
    half_life = ema_kimg * 1000
    if rampup is not None:
        half_life = min(half_life, images * rampup)
    return 0.5 ** (batch / max(half_life, 1e-8))


@torch.no_grad()
def update_ema(mean: nn.Module, network: nn.Module, beta: float) -> None:
    """Move the mean's parameters towards the network's; buffers are copied."""
    torch._foreach_lerp_(list(mean.parameters()), list(network.parameters()), 1 - beta)
    buffers = list(mean.buffers())
    if buffers:
        torch._foreach_copy_(buffers, list(network.buffers()))
