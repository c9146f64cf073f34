# SPDX-License-Identifier: Apache-2.0
"""Adam as StyleGAN uses it, which layers it leaves alone, and its moments under names of their own."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from stylegan3.networks import Discriminator
from stylegan3.training.phases import Phase
from stylegan3.training.setup import Hyperparameters

MOMENTS = {"exp_avg", "exp_avg_sq", "step"}


def adam(network: nn.Module, lr: float, hyper: Hyperparameters, phases: Sequence[Phase]) -> torch.optim.Adam:
    """Adam, slowed by lazy regularisation: a regulariser every k iterations adds one step to k, hence k/(k+1).

    Args:
        phases: those that move this network.
    """
    lazy = [phase.interval for phase in phases if phase.interval > 1]
    ratio = lazy[0] / (lazy[0] + 1) if lazy else 1.0
    return torch.optim.Adam(
        list(network.parameters()),
        lr=lr * ratio,
        betas=(hyper.beta1**ratio, hyper.beta2**ratio),
        eps=hyper.eps,
        fused=next(network.parameters()).device.type in ("cpu", "cuda"),
    )


def first_layers(discriminator: Discriminator, count: int) -> list[nn.Parameter]:
    """Return the parameters of the first layers: the entry, then each block's convolutions (Mo et al. 2020)."""
    layers = [discriminator.entry, *(layer for block in discriminator.blocks for layer in block.children())]
    return [parameter for layer in layers[:count] for parameter in layer.parameters()]


def moments_of(optimizer: torch.optim.Adam, network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the optimiser's tensors by the names of the network's parameters."""
    for key, parameter in network.named_parameters():
        for moment, value in optimizer.state.get(parameter, {}).items():
            yield f"{key}.{moment}", value


def load_moments(optimizer: torch.optim.Adam, network: nn.Module, tensors: Mapping[str, Tensor]) -> bool:
    """Take up what `moments_of` gave; whether there was anything."""
    found = False
    for key, parameter in network.named_parameters():
        moments = {name: tensors[f"{key}.{name}"] for name in MOMENTS if f"{key}.{name}" in tensors}
        if moments:
            # the fused optimiser counts its steps where the parameter is
            optimizer.state[parameter] = {name: value.to(parameter.device).clone() for name, value in moments.items()}
            found = True
    return found
