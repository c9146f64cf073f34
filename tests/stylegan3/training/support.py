# SPDX-License-Identifier: Apache-2.0
"""A training small enough to be taken apart: random pictures [2, 16, 16], narrow networks, one augmentation."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylegan3.networks import DiscriminatorSpec, GeneratorSpec
from stylegan3.training.setup import Hyperparameters, Setup
from stylegan3.training.trainer import Trainer
from stylegan3.training.transfer import onto

SHAPE = (2, 16, 16)
KINDS = {
    "stylegan2": {"style_mixing": 0.9, "path_length_weight": 2.0},
    "stylegan3-t": {},
}


@dataclass(frozen=True)
class Pictures:
    """Random pictures with labels."""

    items: int = 24
    c_dim: int = 0
    dtype: torch.dtype = torch.float32

    shape = SHAPE
    digest = "random"

    def __len__(self) -> int:
        return self.items

    def pictures(self, indices: np.ndarray) -> Tensor:
        rng = torch.Generator().manual_seed(1)
        return torch.randn(self.items, *SHAPE, generator=rng)[torch.from_numpy(np.asarray(indices))]

    def labels(self, indices: np.ndarray) -> Tensor:
        kinds = torch.from_numpy(np.asarray(indices)) % max(self.c_dim, 1)
        return torch.eye(self.c_dim)[kinds] if self.c_dim else torch.zeros(len(indices), 0)

    def to_model(self, pictures: Tensor) -> Tensor:
        return 0.5 * pictures.to(self.dtype)


class Louder:
    """Times 2 with probability p."""

    def draw(self, n: int, p: float, rng: torch.Generator) -> dict[str, Tensor]:
        return {"factor": 1.0 + (torch.rand(n, generator=rng) < p).float()}

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        return pictures * onto(draws["factor"], pictures.device).to(pictures)[:, None, None, None]


def setup(kind: str = "stylegan2", data: Pictures | None = None, **numbers: Any) -> Setup:
    """A setup of narrow networks; `numbers` are hyperparameters."""
    data = data or Pictures()
    generator = GeneratorSpec(
        kind=kind, shape=SHAPE, z_dim=16, w_dim=16, c_dim=data.c_dim, mapping_layers=2, channel_base=128, channel_max=8,
        num_layers=14 if kind == "stylegan2" else 4, num_critical=1,
    )  # fmt: skip
    discriminator = DiscriminatorSpec(shape=SHAPE, c_dim=data.c_dim, channel_base=128, channel_max=8, mapping_layers=1)
    hyper = Hyperparameters(**{"batch": 8, "gamma": 1.0, "ema_kimg": 0.1, "aug": "noaug", **KINDS[kind], **numbers})
    return Setup(data, generator, discriminator, hyper, sheet=lambda folder, name, pictures: {}, augment=Louder())


def trained(arrangement: Setup, iterations: int, trainer: Trainer | None = None) -> Trainer:
    """Take steps with the data in its order."""
    trainer = trainer or Trainer(arrangement)
    source = trainer.batches()
    for _ in range(iterations):
        trainer.step(*next(source))
    return trainer


def everything_on(kind: str, **numbers: Any) -> Setup:
    """Augmentation with ADA moving fast, and for stylegan2 style mixing and path length; two classes."""
    return setup(kind, Pictures(c_dim=2), aug="ada", ada_kimg=0.2, ada_target=-0.9, **numbers)


def in_double(arrangement: Setup, **further: Any) -> Trainer:
    """A trainer in float64, so that rounding doesn't hide what differs; noise strengths off zero.

    Args:
        further: what else a Trainer takes.
    """
    data = arrangement.dataset
    assert isinstance(data, Pictures)
    trainer = Trainer(replace(arrangement, dataset=replace(data, dtype=torch.float64)), **further)
    for name in ("G", "D", "G_ema"):
        trainer.network(name).double()
    trainer.path_length_mean = trainer.path_length_mean.double()
    return trainer
