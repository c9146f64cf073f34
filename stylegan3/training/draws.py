# SPDX-License-Identifier: Apache-2.0
"""Random draws by minibatch-stddev group, and which pictures of a batch form a group.

Of a batch of B pictures in groups of g, group j holds the pictures j, j + B/g, j + 2B/g, ... A *round* is what stands
on the device at a time: whole groups, arranged so that the discriminator's own strided groups are the same sets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from stylegan3.networks import Generator, Moments
from stylegan3.training.rng import generator
from stylegan3.training.setup import Augment, Dataset, Hyperparameters
from stylegan3.training.transfer import onto


def rounds(hyper: Hyperparameters, rank: int = 0) -> list[range]:
    """Return the groups of each round of a rank: rank r has the r-th run of groups."""
    count, own = hyper.round_size // hyper.group_size, hyper.groups // hyper.ranks
    return [range(first, first + count) for first in range(rank * own, (rank + 1) * own, count)]


def members(groups: Sequence[int], hyper: Hyperparameters) -> Tensor:
    """Return the places in the batch of a round's pictures, first members first. Shape: [len(groups) * group_size]."""
    i = torch.arange(hyper.group_size)[:, None] * hyper.groups
    return (i + torch.tensor(list(groups))[None, :]).flatten()


@dataclass(frozen=True)
class Draws:
    """All draws of one phase in one round: group j's come from the key (seed, phase, images + j, purpose).

    Args:
        p: the probability of each augmentation.
    """

    hyper: Hyperparameters
    phase: str
    images: int
    groups: range
    device: torch.device
    p: float = 0.0

    readable: ClassVar[bool] = True
    """Whether an augmentation's draws stay on the CPU, and may decide what is computed."""

    @property
    def augments(self) -> bool:
        """Whether anything can be augmented."""
        return self.p > 0

    def _rng(self, group: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        return generator(self.hyper.seed, self.phase, self.images + group, purpose, device=device)

    def _stack(self, purpose: str, draw: Callable[[torch.Generator], Tensor], *, on_device: bool = False) -> Tensor:
        """Draw [members, ...] for each group; return the round's, first members first. Shape: [N, ...]."""
        device = self.device if on_device else "cpu"
        parts = [draw(self._rng(group, purpose, device)) for group in self.groups]
        return onto(torch.stack(parts, dim=1).flatten(0, 1), self.device)

    def latents(self, purpose: str, z_dim: int, members: int | None = None) -> Tensor:
        """Draw z. Shape: [N, z_dim]."""
        return self._stack(purpose, lambda rng: torch.randn(members or self.hyper.group_size, z_dim, generator=rng))

    def labels(self, dataset: Dataset, members: int | None = None) -> Tensor | None:
        """Draw labels as they occur in the dataset; None without labels. Shape: [N, K]."""
        if not dataset.c_dim:
            return None
        count = members or self.hyper.group_size
        return self._stack(
            "labels",
            lambda rng: dataset.labels(torch.randint(len(dataset), (count,), generator=rng).numpy().astype(np.int64)),
        )

    def noise(self, purpose: str, size: int, members: int | None = None) -> Tensor:
        """Draw white noise on the device. Shape: [N, size]."""
        count = members or self.hyper.group_size
        return self._stack(
            purpose, lambda rng: torch.randn(count, size, generator=rng, device=rng.device), on_device=True
        )

    def crossover(self, num_ws: int, members: int | None = None) -> Tensor:
        """Draw the first layer that takes the second style, num_ws for none, one for each group. Shape: [N, 1, 1]."""

        def draw(rng: torch.Generator) -> Tensor:
            mixed = torch.rand((), generator=rng) < self.hyper.style_mixing
            layer = torch.randint(1, num_ws, (), generator=rng)
            return torch.where(mixed, layer, num_ws).expand(members or self.hyper.group_size, 1, 1)

        return self._stack("crossover", draw)

    def augmentation(self, augment: Augment, purpose: str) -> dict[str, Tensor]:
        """Draw the augmentation's parameters, as `Augment` takes them. Shape: {name: [N, ...]}."""
        parts = [augment.draw(self.hyper.group_size, self.p, self._rng(group, purpose)) for group in self.groups]
        return {name: torch.stack([part[name] for part in parts], dim=1).flatten(0, 1) for name in parts[0]}


@dataclass(frozen=True)
class Kept:
    """What was drawn for a purpose, and how it is drawn."""

    values: dict[str, Tensor]
    make: Callable[[Draws], dict[str, Tensor]]


@dataclass(frozen=True)
class KeptDraws(Draws):
    """Draws that stay where they lie, on the device: what was computed from them can be computed anew from others."""

    kept: dict[str, Kept] = field(default_factory=dict)

    readable: ClassVar[bool] = False

    def _stack(self, purpose: str, draw: Callable[[torch.Generator], Tensor], *, on_device: bool = False) -> Tensor:
        return self._keep(purpose, lambda draws: {purpose: Draws._stack(draws, purpose, draw, on_device=on_device)})[
            purpose
        ]

    def augmentation(self, augment: Augment, purpose: str) -> dict[str, Tensor]:
        """Draw the augmentation's parameters, on the device. Shape: {name: [N, ...]}."""
        return self._keep(purpose, lambda draws: Draws.augmentation(draws, augment, purpose))

    def _keep(self, purpose: str, make: Callable[[Draws], dict[str, Tensor]]) -> dict[str, Tensor]:
        if purpose not in self.kept:
            values = {name: onto(value, self.device).clone() for name, value in make(self).items()}
            self.kept[purpose] = Kept(values, make)
        return self.kept[purpose].values

    def refill(self, draws: Draws) -> None:
        """Put other draws in the place of all that were made."""
        for kept in self.kept.values():
            for name, value in kept.make(draws).items():
                kept.values[name].copy_(onto(value, self.device))


def make_pictures(
    network: Generator, draws: Draws, dataset: Dataset, *, members: int | None = None, moments: Moments | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Draw latents and labels, mix styles, and make pictures.

    Shape: pictures [N, C, F, T], ws [N, num_ws, W], labels [N, K] or None.
    """
    labels = draws.labels(dataset, members)
    z_dim, num_ws = network.spec.z_dim, network.num_ws
    ws = network.mapping(draws.latents("z", z_dim, members), labels, moments=moments)
    if draws.hyper.style_mixing > 0:
        other = network.mapping(draws.latents("z mixed in", z_dim, members), labels)
        layer = torch.arange(num_ws, device=ws.device)[None, :, None]
        ws = torch.where(layer < draws.crossover(num_ws, members), ws, other)
    noise = draws.noise("noise", network.noise_size, members) if network.noise_size else "none"
    return network.synthesis(ws, noise=noise, moments=moments), ws, labels
