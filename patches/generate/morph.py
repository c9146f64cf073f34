# SPDX-License-Identifier: Apache-2.0
"""Sounds on the way from seed to seed, linear in W; `--morph 12:40:16`, or by way of others, `--morph 12:40:77:16`.

The number of sounds is that of the whole way, every named seed is one of them, and what lies between is spread over
the legs as evenly as whole steps allow.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from patches.errors import UserError
from patches.generate.choices import MAXIMUM_SEED
from patches.generate.pages import NetworksPage, Page
from patches.generate.points import Point
from patches.generate.series import Part

MOST_STEPS = 10_000  # a typing error, not a way
LONGEST_NAME = 120  # letters, of the 255 bytes that a file's name may have


@dataclass(frozen=True)
class Way:
    """`count` sounds from the first seed to the last, each seed among them."""

    seeds: tuple[int, ...]
    count: int

    @property
    def name(self) -> str:
        return "morph" + "-".join(f"{seed:04d}" for seed in self.seeds)

    @property
    def told(self) -> str:
        return f"{self.count} sounds on the way " + " -> ".join(f"seed {seed}" for seed in self.seeds)

    @property
    def layers(self) -> tuple[int, ...]:
        return ()

    def stations(self) -> list[int]:
        """Return at which of the sounds each seed stands."""
        legs, steps = len(self.seeds) - 1, self.count - 1
        return [(2 * leg * steps + legs) // (2 * legs) for leg in range(legs + 1)]  # rounded, halves up

    def points(self) -> Iterator[Point]:
        """Yield the points in order."""
        yield Point(self.seeds[0], name=self._step(0))
        for (seed, other), (start, end) in zip(pairwise(self.seeds), pairwise(self.stations()), strict=True):
            for step in range(start + 1, end):
                yield Point(seed, other, (step - start) / (end - start), None, self._step(step))
            yield Point(other, name=self._step(end))

    def groups(self) -> Iterator[Iterable[Part]]:
        yield (Part(point, ((0, column),)) for column, point in enumerate(self.points()))

    def page(self, networks: int) -> Page:
        labels = [f"seed {p.seed}" if p.other is None else f"{p.amount:.2f}" for p in self.points()]
        return NetworksPage(labels, self.name)

    def _step(self, step: int) -> str:
        return f"{self.name}_{step + 1:0{max(len(str(self.count)), 2)}d}"


def parse_morph(text: str) -> Way:
    """Read "FIRST:LAST:COUNT" or "FIRST:BY:...:LAST:COUNT".

    Raises:
        UserError: anything else, fewer sounds than seeds, or the same seed twice in a row.
    """
    parts = [part.strip() for part in text.split(":")]
    if len(parts) < 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise _bad(text, "not seeds and a count")
    *seeds, count = (int(part) for part in parts)
    if max(seeds) > MAXIMUM_SEED:
        raise _bad(text, "a seed above 2^63-1")
    if not len(seeds) <= count <= MOST_STEPS:
        raise _bad(text, f"{count} sounds; {len(seeds)} seeds take {len(seeds)} (one each) to {MOST_STEPS}")
    if any(one == other for one, other in pairwise(seeds)):
        raise _bad(text, "the same seed twice in a row is no way")
    way = Way(tuple(seeds), count)
    if len(way.name) > LONGEST_NAME:
        raise _bad(text, "more seeds than a file's name holds")
    return way


def _bad(text: str, reason: str) -> UserError:
    return UserError(f"--morph={text}: {reason}; give seeds and the number of sounds, like 12:40:16 or 12:40:77:16")
