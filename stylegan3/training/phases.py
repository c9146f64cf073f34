# SPDX-License-Identifier: Apache-2.0
"""The losses of StyleGAN2/3 as phases: each an optimiser step of one network (Karras et al. 2020, sections 4 and 5).

A configuration is a list of phases, not a branch in the loop. Within a phase the batch passes in rounds; a phase yields
for each round one loss or several, already weighted so that their sum over the rounds is the batch's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus

from stylegan3.networks import Discriminator, Generator, Moments
from stylegan3.training.ada import signs_of
from stylegan3.training.blur import blur
from stylegan3.training.draws import Draws, make_pictures
from stylegan3.training.gradients import finite
from stylegan3.training.setup import Setup
from stylegan3.training.spans import Spans, unmeasured
from stylegan3.training.stats import Stats


@dataclass
class Context:
    """What a phase may read and note in one round of one iteration."""

    setup: Setup
    generator: Generator
    discriminator: Discriminator
    draws: Draws
    reals: Tensor  # [N, C, F, T] in model space
    real_labels: Tensor | None
    p: float
    stats: Stats
    path_length_mean: Tensor
    moments: Moments = field(default_factory=Moments)
    path_lengths: list[Tensor] = field(default_factory=list)
    signs: list[Tensor] = field(default_factory=list)  # of D(real), as ADA observes them
    spans: Spans = unmeasured

    @property
    def weight(self) -> float:
        """Share of the batch that this round holds."""
        return len(self.reals) / self.setup.hyper.batch

    def augmented(self, pictures: Tensor, purpose: str) -> Tensor:
        """Return the pictures as D receives them: augmented with probability p, then blurred where that is on."""
        augment = self.setup.augment
        with self.spans("augmentation"):
            if augment is not None and self.p > 0:
                pictures = augment(pictures, self.draws.augmentation(augment, self.p, purpose))
            return blur(pictures, self.setup.hyper, self.draws.images)

    def gradient(self, total: Tensor, of: Tensor) -> Tensor:
        """Return d total / d of, to be differentiated itself. Shape: [] and any -> that of `of`."""
        scale = self.setup.loss_scale
        (found,) = torch.autograd.grad(total * scale, of, create_graph=True)
        return found if scale == 1 else finite(found / scale)

    def judge(self, pictures: Tensor, labels: Tensor | None, purpose: str) -> Tensor:
        """Return D's logits of the augmented pictures. Shape: [N, 1]."""
        return self.discriminator(self.augmented(pictures, purpose), labels)


class Phase(Protocol):
    """One optimiser step of one network, every `interval` iterations."""

    @property
    def name(self) -> str: ...

    @property
    def network(self) -> str:
        """'G' or 'D'."""

    @property
    def interval(self) -> int: ...

    @property
    def passes(self) -> int:
        """How many losses `losses` yields."""

    def losses(self, context: Context) -> Iterator[Tensor]:
        """Yield scalar losses of a round; each is differentiated before the next is asked for."""


@dataclass(frozen=True)
class GeneratorAdversarial:
    """Non-saturating logistic loss of G: E[softplus(-D(G(z)))]."""

    name: str = "G main"
    network: str = "G"
    interval: int = 1
    passes: int = 1

    def losses(self, context: Context) -> Iterator[Tensor]:
        pictures, _, labels = make_pictures(context.generator, context.draws, context.setup.dataset)
        logits = context.judge(pictures, labels, "augment")
        loss = softplus(-logits)
        context.stats.add("Loss/scores/fake", logits)
        context.stats.add("Loss/signs/fake", logits.sign())
        context.stats.add("Loss/G/loss", loss)
        yield loss.mean() * context.weight


@dataclass(frozen=True)
class PathLength:
    """Path length regulariser of G: E[(|J^T y| - a)^2], y white noise, a its running mean (2020, section 3.2).

    Every `interval` iterations on half of each group. a moves once after all rounds, by the mean over all of them; the
    penalty is taken against a as it stood before, so that rounds and ranks don't change it.
    """

    weight: float = 2.0
    name: str = "G path length"
    network: str = "G"
    interval: int = 4
    passes: int = 1

    def losses(self, context: Context) -> Iterator[Tensor]:
        half = max(1, context.draws.hyper.group_size // 2)
        pictures, ws, _ = make_pictures(context.generator, context.draws, context.setup.dataset, members=half)
        directions = context.draws.noise("directions", pictures[0].numel(), half).view_as(pictures)
        directions = directions / (pictures.shape[2] * pictures.shape[3]) ** 0.5
        gradients = context.gradient((pictures * directions).sum(), ws)
        lengths = gradients.square().sum(2).mean(1).sqrt()
        penalty = (lengths - context.path_length_mean).square()
        context.path_lengths.append(lengths.detach())
        context.stats.add("Loss/G/path length", lengths)
        context.stats.add("Loss/G/path length penalty", penalty)
        yield penalty.mean() * (self.weight * self.interval * context.weight)


@dataclass(frozen=True)
class DiscriminatorAdversarial:
    """Logistic loss of D: E[softplus(D(G(z)))] + E[softplus(-D(x))]; G's averages move in its fake pass."""

    name: str = "D main"
    network: str = "D"
    interval: int = 1
    passes: int = 2

    def losses(self, context: Context) -> Iterator[Tensor]:
        with torch.no_grad():
            pictures, _, labels = make_pictures(
                context.generator, context.draws, context.setup.dataset, moments=context.moments
            )
        fake = context.judge(pictures, labels, "augment fakes")
        yield softplus(fake).mean() * context.weight
        real = context.judge(context.reals, context.real_labels, "augment reals")
        context.signs.append(signs_of(real))
        context.stats.add("Loss/scores/real", real)
        context.stats.add("Loss/signs/real", real.sign())
        context.stats.add("Loss/D/loss", softplus(fake.detach()) + softplus(-real))
        yield softplus(-real).mean() * context.weight


@dataclass(frozen=True)
class GradientPenalty:
    """R1 of D: gamma/2 E[|grad D(x)|^2], every `interval` iterations (Mescheder et al. 2018).

    The gradient is taken at the picture that D receives, after augmentation and scaling: D is regularised where it is
    used, and a steep scaling can't blow the penalty up.
    """

    gamma: float
    name: str = "D R1"
    network: str = "D"
    interval: int = 16
    passes: int = 1

    def losses(self, context: Context) -> Iterator[Tensor]:
        received = context.augmented(context.reals, "augment reals").detach().requires_grad_(True)
        logits = context.discriminator(received, context.real_labels)
        gradients = context.gradient(logits.sum(), received)
        penalty = gradients.square().sum((1, 2, 3))
        context.stats.add("Loss/r1 penalty", penalty)
        yield penalty.mean() * (self.gamma / 2 * self.interval * context.weight)


def phases_of(setup: Setup) -> tuple[Phase, ...]:
    """Return the phases of an iteration in their order: G main, path length, D main, R1."""
    hyper = setup.hyper
    path_length = (PathLength(hyper.path_length_weight),) if hyper.path_length_weight > 0 else ()
    return (GeneratorAdversarial(), *path_length, DiscriminatorAdversarial(), GradientPenalty(hyper.gamma))
