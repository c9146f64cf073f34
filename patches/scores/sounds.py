# SPDX-License-Identifier: Apache-2.0
"""Sets of sounds that are scored: a network's outputs, an archive's items, and changed ones of these.

A set is told batch by batch and never stands in memory as a whole. All sets of one evaluation have the length and rate
of the network's view. A conditional network is asked for the labels of train items, drawn by each seed, so that what
it makes is mixed as the data is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError
from patches.generate.network import Network
from patches.generate.synthesis import batches, draw
from patches.scores.rows import Kind
from patches.views import View
from spect.archives.opening import AnyArchive
from spect.representation import of_length

SAMPLES_AT_A_TIME = 2**20  # of one channel: what a batch may hold
MOST_AT_A_TIME = 32


@dataclass(frozen=True)
class Heard:
    """A batch of a set.

    Args:
        sounds: [n, 2, L].
        pictures: gives them in model space, [n, C, F, T]; computed only where they are asked for.
        items: the archive's items whose labels the sounds should have, -1 for none. Shape: int64 [n].
        first: place of its first sound in the set.
    """

    sounds: Tensor
    pictures: Callable[[], Tensor]
    items: np.ndarray
    first: int = 0


@dataclass(frozen=True)
class Subject:
    """A set of sounds: what it is called and how it is had.

    Args:
        seeds: of a network's sounds, in their order; empty for real ones.
        label_sets: whose labels of its items the sounds should have; None: all, as real ones do.
    """

    name: str
    kind: Kind
    count: int
    batches: Callable[[], Iterator[Heard]]
    seeds: tuple[int, ...] = ()
    kimg: float | None = None
    label_sets: frozenset[str] | None = None

    def asked_for(self, label_set: str) -> bool:
        """Whether the sounds should have their items' labels of a set."""
        return self.label_sets is None or label_set in self.label_sets

    def only_told(self) -> "Subject":
        """Give the same without its sounds, so that the network that made them can be let go."""
        return replace(self, batches=lambda: iter(()))


@dataclass(frozen=True)
class Real:
    """An archive's items as a view hears them."""

    archive: AnyArchive
    view: View
    device: torch.device

    def __post_init__(self) -> None:
        rate = self.archive.representation.sample_rate
        if rate != self.view.sample_rate:
            raise UserError(
                f"--data: {self.archive.path} has {rate} Hz, the network makes sounds of {self.view.sample_rate} Hz; "
                "give the archive that it learned from, or one of that rate"
            )

    def heard(self, items: np.ndarray) -> Heard:
        """Read items. Shape: int64 [n]."""
        canvases = torch.from_numpy(self.archive.canvases(items)).to(self.device)
        stored = self.archive.representation
        sounds = of_length(stored.decode(canvases), self.view.samples)
        return Heard(sounds, partial(self.view.picture, stored, canvases), items)

    def subject(self, name: str, items: np.ndarray, change: Callable[[Heard], Tensor] | None = None) -> Subject:
        """Make a set of items, each changed if asked for.

        Args:
            change: gives the sounds that take the place of a batch's, and of which pictures are then made.
                Shape: -> [n, 2, L].
        """
        size = at_a_time(self.view.samples)

        def told() -> Iterator[Heard]:
            for number, part in enumerate(batches(items, size)):
                heard = replace(self.heard(np.asarray(part, np.int64)), first=number * size)
                yield heard if change is None else self._changed(heard, change(heard))

        return Subject(name, "anchor", len(items), told)

    def _changed(self, heard: Heard, sounds: Tensor) -> Heard:
        return replace(
            heard, sounds=sounds, pictures=lambda: self.view.to_model(self.view.representation.encode(sounds))
        )


def generated(network: Network, seeds: Sequence[int], archive: AnyArchive, name: str | None = None) -> Subject:
    """Make the set of a network's sounds, one a seed; an unconditional network's are those of gen_audio.py."""
    size = at_a_time(network.view.samples)

    def told() -> Iterator[Heard]:
        for number, part in enumerate(batches(seeds, size)):
            items = asked(network, part, archive)
            pictures = pictures_of(network, part, items, archive)
            yield Heard(network.view.sound(pictures, part).float(), partial(_same, pictures), items, number * size)

    asked_for = frozenset(one.name for one in network.conditions.sets)
    return Subject(
        name or network.path.stem, "network", len(seeds), told, tuple(seeds), network.kimg, label_sets=asked_for
    )


def _same(pictures: Tensor) -> Tensor:
    return pictures


def pictures_of(network: Network, seeds: Sequence[int], items: np.ndarray, archive: AnyArchive) -> Tensor:
    """Make pictures in model space. Shape: [n, C, F, T]."""
    generator, device = network.generator, network.device
    drawn = [draw(seed, generator.spec.z_dim, generator.noise_size) for seed in seeds]
    z, noise = (torch.stack(parts).to(device) for parts in zip(*drawn, strict=True))
    c = torch.from_numpy(network.conditions.of_items(archive, items)).to(device) if network.conditions.sets else None
    made: Tensor = generator(z, c, noise=noise if generator.noise_size else "const")
    return made


def asked(network: Network, seeds: Sequence[int], archive: AnyArchive) -> np.ndarray:
    """Draw the items whose labels a network is asked for, one a seed; -1 where it takes none. Shape: int64 [n]."""
    if not network.conditions.sets:
        return np.full(len(seeds), -1, np.int64)
    train = archive.train
    return np.asarray([train[np.random.default_rng(seed).integers(len(train))] for seed in seeds], np.int64)


def at_a_time(samples: int) -> int:
    """Say how many sounds of a length are computed together."""
    return max(1, min(MOST_AT_A_TIME, SAMPLES_AT_A_TIME // samples))
