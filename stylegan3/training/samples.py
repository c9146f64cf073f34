# SPDX-License-Identifier: Apache-2.0
"""Pictures for looking and measuring: of the data, and of a generator, from a run's seed and a purpose alone."""

import torch
from torch import Tensor

from stylegan3.networks import Generator
from stylegan3.training.rng import generator
from stylegan3.training.setup import Setup


@torch.no_grad()
def fakes(network: Generator, setup: Setup, purpose: str, count: int) -> Tensor:
    """Make pictures of fixed latents, labels as they occur in the data, each with noise of its own.

    Shape: [count, C, F, T] in model space.
    """
    rng = generator(setup.hyper.seed, "fakes", purpose)
    device = next(network.parameters()).device
    z = torch.randn(count, network.spec.z_dim, generator=rng).to(device)
    noise = torch.randn(count, network.noise_size, generator=rng).to(device)
    items = torch.randint(len(setup.dataset), (count,), generator=rng).numpy()
    labels = setup.dataset.labels(items).to(device)
    parts = [slice(first, first + setup.hyper.round_size) for first in range(0, count, setup.hyper.round_size)]
    return torch.cat(
        [
            network(z[i], labels[i] if network.spec.c_dim else None, noise=noise[i] if network.noise_size else "none")
            for i in parts
        ]
    )


@torch.no_grad()
def reals(setup: Setup, purpose: str, count: int, device: torch.device) -> Tensor:
    """Draw pictures of the data. Shape: [at most count, C, F, T] in model space."""
    rng = generator(setup.hyper.seed, "reals", purpose)
    chosen = torch.randperm(len(setup.dataset), generator=rng)[:count].sort().values
    return setup.dataset.to_model(setup.dataset.pictures(chosen.numpy()).to(device))
