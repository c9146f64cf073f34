# SPDX-License-Identifier: Apache-2.0
"""The losses against their formulas, on networks whose derivatives can be written down."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from stylegan3.networks import build_discriminator
from stylegan3.training.draws import Draws
from stylegan3.training.phases import (
    Context,
    DiscriminatorAdversarial,
    GeneratorAdversarial,
    GradientPenalty,
    PathLength,
    phases_of,
)
from tests.stylegan3.training.support import SHAPE, Louder, Pictures, setup

CPU = torch.device("cpu")


def value(x: Tensor | float) -> float:
    return x.item() if isinstance(x, Tensor) else x


class LinearD(nn.Module):
    """D(x) = <a, x> (+ |x|^2 / 2 where it is curved)."""

    def __init__(self, curved: bool = False) -> None:
        super().__init__()
        self.curved = curved
        self.a = nn.Parameter(torch.randn(SHAPE, generator=torch.Generator().manual_seed(2)) / 20)

    def forward(self, x: Tensor, c: Tensor | None = None, *, sets: int = 1) -> Tensor:
        bent = x.square().flatten(1).sum(1) / 2 if self.curved else 0
        return ((x * self.a).flatten(1).sum(1) + bent)[:, None]


@dataclass
class LinearG:
    """w = z, pictures = sum over layers of A_i w_i: a generator whose Jacobian is A."""

    num_ws: int = 3
    noise_size: int = 0
    spec: Any = field(default_factory=lambda: SimpleNamespace(z_dim=5))

    def __post_init__(self) -> None:
        rng = torch.Generator().manual_seed(3)
        self.matrix = torch.randn(self.num_ws, 5, SHAPE[0] * SHAPE[1] * SHAPE[2], generator=rng, requires_grad=True)

    def mapping(self, z: Tensor, c: Tensor | None, moments: Any = None) -> Tensor:
        return z[:, None].expand(-1, self.num_ws, -1).requires_grad_(True)

    def synthesis(self, ws: Tensor, noise: Any = "none", moments: Any = None) -> Tensor:
        return torch.einsum("nlw,lwp->np", ws, self.matrix).unflatten(1, SHAPE)


def context(
    p: float = 0.0, discriminator: Any = None, generator: Any = None, phase: str = "G main", **numbers
) -> Context:
    arrangement = setup("stylegan3-t", batch=8, **numbers)
    hyper = arrangement.hyper
    return Context(
        setup=arrangement,
        generator=generator or LinearG(),
        discriminator=discriminator or LinearD(),
        draws=Draws(hyper, phase, 0, range(hyper.groups), CPU, p),
        reals=torch.randn(8, *SHAPE, generator=torch.Generator().manual_seed(4)),
        real_labels=None,
        path_length_mean=torch.tensor(0.25),
    )


def test_r1_of_a_linear_discriminator_is_the_square_of_its_slope():
    c = context()
    loss = GradientPenalty(gamma=3.0).loss(c)
    slope = c.discriminator.a.square().sum()
    assert value(loss) == pytest.approx(value(3.0 / 2 * 16 * slope), rel=1e-5)
    loss.backward()  # through the gradient: d/da gamma/2 16 |a|^2
    assert torch.allclose(c.discriminator.a.grad, 3.0 * 16 * c.discriminator.a, rtol=1e-4)


def test_r1_is_taken_at_the_picture_that_d_receives():
    """All pictures doubled: D's gradient a + x is that at 2x; the augmentation's slope stays out."""
    c = context(p=1.0, discriminator=LinearD(curved=True))
    loss = GradientPenalty(gamma=1.0).loss(c)
    at_2x = (c.discriminator.a + 2 * c.reals).square().sum((1, 2, 3)).mean()
    assert value(loss) == pytest.approx(value(16 / 2 * at_2x), rel=1e-5)


def test_path_length_of_a_linear_generator():
    """|J^T y| of A: the root mean square over layers of |A_i y|; the penalty is its squared distance to the mean."""
    c = context()
    loss = PathLength(weight=2.0).loss(c)
    half = c.draws.hyper.group_size // 2
    y = c.draws.noise("directions", LinearG().matrix.shape[2], half) / (SHAPE[1] * SHAPE[2]) ** 0.5
    assert len(y) == 4  # half of the 8 pictures
    lengths = torch.einsum("lwp,np->nlw", c.generator.matrix, y).square().sum(2).mean(1).sqrt()
    assert value(loss) == pytest.approx(value((lengths - 0.25).square().mean() * 2.0 * 4), rel=1e-4)
    assert torch.allclose(torch.cat(c.found.path_lengths), lengths, rtol=1e-4)
    loss.backward()
    assert value(c.generator.matrix.grad.abs().max()) > 0


def test_path_length_directions_are_not_the_generators_noise():
    draws = context().draws
    assert not torch.equal(draws.noise("directions", 50), draws.noise("noise", 50))


def test_adversarial_losses_are_the_logistic_ones():
    c = context()
    loss = GeneratorAdversarial().loss(c)
    logits = c.discriminator(fakes(c))
    assert value(loss) == pytest.approx(value(softplus(-logits).mean()), rel=1e-5)

    c = context(phase="D main")
    expected = softplus(c.discriminator(fakes(c))).mean() + softplus(-c.discriminator(c.reals)).mean()
    assert value(DiscriminatorAdversarial().loss(c)) == pytest.approx(value(expected), rel=1e-5)
    assert c.generator.matrix.grad is None


def fakes(c: Context) -> Tensor:
    return c.generator.synthesis(c.generator.mapping(c.draws.latents("z", 5), None))


def test_fakes_and_reals_are_judged_as_if_apart():
    """Neither a group nor a label of one set is the other's."""
    arrangement = replace(setup("stylegan3-t", batch=8), dataset=Pictures(c_dim=3))
    spec = replace(arrangement.discriminator, c_dim=3, channel_base=64, channel_max=8)
    network = build_discriminator(spec, torch.Generator().manual_seed(0))
    own = torch.eye(3)[torch.arange(8) % 2]
    c = context(phase="D main", discriminator=network)
    c = replace(c, setup=arrangement, reals=5 * c.reals, real_labels=own)
    labels = c.draws.labels(arrangement.dataset)
    assert not torch.equal(labels, own)
    expected = softplus(network(fakes(c), labels)).mean() + softplus(-network(c.reals, own)).mean()
    assert value(DiscriminatorAdversarial().loss(c)) == pytest.approx(value(expected), rel=1e-6)
    assert spec.mbstd_group < 8  # else all are one group


def test_ada_watches_the_reals_alone():
    c = context(phase="D main")
    DiscriminatorAdversarial().loss(c)
    assert [signs.tolist() for signs in c.found.signs] == [[value(c.discriminator(c.reals).sign().sum()), 8.0]]


def test_rounds_weigh_by_their_share_of_the_batch():
    arrangement = setup("stylegan3-t", batch=16, batch_gpu=4)
    c = context()
    part = replace(c, setup=arrangement, reals=c.reals[:4])
    assert part.weight == 0.25


def test_reals_and_fakes_are_augmented_by_the_same_function():
    c = context(p=1.0, phase="D main")
    assert isinstance(c.setup.augment, Louder)
    expected = softplus(c.discriminator(2 * fakes(c))).mean() + softplus(-c.discriminator(2 * c.reals)).mean()
    assert value(DiscriminatorAdversarial().loss(c)) == pytest.approx(value(expected), rel=1e-5)


def test_at_p_0_no_augmentation_is_drawn():
    c = context()
    assert c.augmented(c.reals, "augment") is c.reals


def test_gamma_reaches_the_penalty():
    assert phases_of(setup(gamma=7.0))[-1].gamma == 7.0
