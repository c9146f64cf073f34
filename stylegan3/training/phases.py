# SPDX-License-Identifier: Apache-2.0
"""The losses of StyleGAN2/3 as phases: each an optimiser step of one network (Karras et al. 2020, sections 4 and 5).

A configuration is a list of phases, not a branch in the loop. Within a phase the batch passes in rounds; for each one
the phase returns a loss, already weighted so that their sum over the rounds is the batch's.
"""

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus

from stylegan3.networks import Discriminator, Generator, Moments
from stylegan3.training.ada import signs_of
from stylegan3.training.blur import blur
from stylegan3.training.draws import Draws, make_pictures
from stylegan3.training.gradients import NONFINITE, finite
from stylegan3.training.setup import Setup
from stylegan3.training.spans import Spans, unmeasured
from stylegan3.training.stats import Stats


@dataclass(frozen=True)
class Found:
    """What a phase's rounds leave behind beside the gradients."""

    stats: Stats = field(default_factory=Stats)
    losses: list[Tensor] = field(default_factory=list)  # one a round, detached
    moments: Moments = field(default_factory=Moments)
    path_lengths: list[Tensor] = field(default_factory=list)
    signs: list[Tensor] = field(default_factory=list)  # of D(real), as ADA observes them


@dataclass
class Context:
    """What a phase may read and note in one round of one iteration."""

    setup: Setup
    generator: Generator
    discriminator: Discriminator
    draws: Draws
    reals: Tensor  # [N, C, F, T] in model space
    real_labels: Tensor | None
    path_length_mean: Tensor
    found: Found = field(default_factory=Found)
    spans: Spans = unmeasured

    @property
    def weight(self) -> float:
        """Share of the batch that this round holds."""
        return len(self.reals) / self.setup.hyper.batch

    def augmented(self, pictures: Tensor, purpose: str) -> Tensor:
        """Return the pictures as D receives them: augmented, then blurred where that is on."""
        augment = self.setup.augment
        with self.spans("augmentation"):
            if augment is not None and self.draws.augments:
                drawn = self.draws.augmentation(augment, purpose)
                pictures = augment(pictures, drawn, readable=self.draws.readable)
            return blur(pictures, self.setup.hyper, self.draws.images)

    def gradient(self, total: Tensor, of: Tensor) -> Tensor:
        """Return d total / d of, to be differentiated itself. Shape: [] and [N, ...] -> [N, ...]."""
        scale = self.setup.loss_scale
        (found,) = torch.autograd.grad(total * scale, of, create_graph=True)
        if scale == 1:
            return found
        found = found / scale
        self.found.stats.add(f"{NONFINITE}within losses", ~found.detach().flatten(1).abs().amax(1).isfinite())
        return finite(found)


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
    def augments(self) -> bool:
        """Whether D sees pictures in it, augmented."""

    def loss(self, context: Context) -> Tensor:
        """Return a round's loss, a scalar."""


@dataclass(frozen=True)
class GeneratorAdversarial:
    """Non-saturating logistic loss of G: E[softplus(-D(G(z)))]."""

    name: str = "G main"
    network: str = "G"
    interval: int = 1
    augments: bool = True

    def loss(self, context: Context) -> Tensor:
        pictures, _, labels = make_pictures(context.generator, context.draws, context.setup.dataset)
        logits = context.discriminator(context.augmented(pictures, "augment"), labels)
        loss = softplus(-logits)
        context.found.stats.add("Loss/scores/fake", logits)
        context.found.stats.add("Loss/signs/fake", logits.sign())
        context.found.stats.add("Loss/G/loss", loss)
        return loss.mean() * context.weight


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
    augments: bool = False

    def loss(self, context: Context) -> Tensor:
        half = max(1, context.draws.hyper.group_size // 2)
        pictures, ws, _ = make_pictures(context.generator, context.draws, context.setup.dataset, members=half)
        directions = context.draws.noise("directions", pictures[0].numel(), half).view_as(pictures)
        directions = directions / (pictures.shape[2] * pictures.shape[3]) ** 0.5
        gradients = context.gradient((pictures * directions).sum(), ws)
        lengths = gradients.square().sum(2).mean(1).sqrt()
        penalty = (lengths - context.path_length_mean).square()
        context.found.path_lengths.append(lengths.detach())
        context.found.stats.add("Loss/G/path length", lengths)
        context.found.stats.add("Loss/G/path length penalty", penalty)
        return penalty.mean() * (self.weight * self.interval * context.weight)


@dataclass(frozen=True)
class DiscriminatorAdversarial:
    """Logistic loss of D: E[softplus(D(G(z)))] + E[softplus(-D(x))]; G's averages move with its fakes.

    D judges both at once, in one pass over its weights.
    """

    name: str = "D main"
    network: str = "D"
    interval: int = 1
    augments: bool = True

    def loss(self, context: Context) -> Tensor:
        with torch.no_grad():
            pictures, _, labels = make_pictures(
                context.generator, context.draws, context.setup.dataset, moments=context.found.moments
            )
        pictures = torch.cat(
            [context.augmented(pictures, "augment fakes"), context.augmented(context.reals, "augment reals")]
        )
        if labels is not None and context.real_labels is not None:
            labels = torch.cat([labels, context.real_labels])
        fake, real = context.discriminator(pictures, labels, sets=2).chunk(2)
        loss = softplus(fake) + softplus(-real)
        context.found.signs.append(signs_of(real))
        context.found.stats.add("Loss/scores/real", real)
        context.found.stats.add("Loss/signs/real", real.sign())
        context.found.stats.add("Loss/D/loss", loss)
        return loss.mean() * context.weight


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
    augments: bool = True

    def loss(self, context: Context) -> Tensor:
        received = context.augmented(context.reals, "augment reals").detach().requires_grad_(True)
        logits = context.discriminator(received, context.real_labels)
        gradients = context.gradient(logits.sum(), received)
        penalty = gradients.square().sum((1, 2, 3))
        context.found.stats.add("Loss/r1 penalty", penalty)
        return penalty.mean() * (self.gamma / 2 * self.interval * context.weight)


def phases_of(setup: Setup) -> tuple[Phase, ...]:
    """Return the phases of an iteration in their order: G main, path length, D main, R1."""
    hyper = setup.hyper
    path_length = (PathLength(hyper.path_length_weight),) if hyper.path_length_weight > 0 else ()
    return (GeneratorAdversarial(), *path_length, DiscriminatorAdversarial(), GradientPenalty(hyper.gamma))
