# SPDX-License-Identifier: Apache-2.0
"""A phase's passes over a rank's share of a batch: loss and backward pass of each round, and what they leave behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from stylegan3.networks import Discriminator, Generator
from stylegan3.training.draws import Draws
from stylegan3.training.phases import Context, Found, Phase
from stylegan3.training.setup import Setup
from stylegan3.training.spans import Spans, unmeasured


@dataclass(frozen=True)
class Reals:
    """What of the data a round takes."""

    pictures: Tensor  # [N, C, F, T] in model space
    labels: Tensor | None  # [N, K]


@dataclass(frozen=True)
class Given:
    """All that passes take beside the networks: draws and data of each round, path length's mean."""

    draws: Sequence[Draws]
    reals: Sequence[Reals]
    path_length_mean: Tensor


@dataclass(frozen=True)
class Passes:
    """Computes a phase's rounds; gradients add up in the parameters that require them."""

    setup: Setup
    generator: Generator
    discriminator: Discriminator
    spans: Spans = unmeasured

    def __call__(self, phase: Phase, given: Given, before_last: Callable[[], None] = lambda: None) -> Found:
        """Compute the rounds; `before_last` is called before the last backward pass."""
        found = Found()
        for number, (draws, reals) in enumerate(zip(given.draws, given.reals, strict=True), start=1):
            context = Context(
                setup=self.setup, generator=self.generator, discriminator=self.discriminator, draws=draws,
                reals=reals.pictures, real_labels=reals.labels, path_length_mean=given.path_length_mean,
                found=found, spans=self.spans,
            )  # fmt: skip
            loss = phase.loss(context)
            found.losses.append(loss.detach())
            if number == len(given.reals):
                before_last()
            (loss * self.setup.loss_scale).backward()
        return found
