# SPDX-License-Identifier: Apache-2.0
"""What one call is to make from each network: an ordered series of points, and how they lie on one page.

`groups` are computed apart: a batch never holds points of two, so that one group's bits don't depend on another.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from patches.generate.pages import NetworksPage, Page
from patches.generate.points import Point, numbers_in_name


class Part(NamedTuple):
    """A point and where its picture stands on the page, as (row, column)."""

    point: Point
    cells: tuple[tuple[int, int], ...]


class Series(Protocol):
    """A series of sounds.

    `name` is the stem of its page and its video, `told` says it in a few words, `layers` must be in each network.
    """

    @property
    def name(self) -> str: ...
    @property
    def layers(self) -> tuple[int, ...]: ...
    @property
    def count(self) -> int: ...
    @property
    def told(self) -> str: ...
    def groups(self) -> Iterator[Iterable[Part]]: ...
    def page(self, networks: int) -> Page | None: ...


@dataclass(frozen=True)
class Seeds:
    """The sound of each seed; with several networks a table of all."""

    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"seeds{numbers_in_name(self.seeds)}"

    @property
    def layers(self) -> tuple[int, ...]:
        return ()

    @property
    def count(self) -> int:
        return len(self.seeds)

    @property
    def told(self) -> str:
        return f"{len(self.seeds)} seed{'s' * (len(self.seeds) != 1)}"

    def groups(self) -> Iterator[Iterable[Part]]:
        yield (Part(Point(seed), ((0, column),)) for column, seed in enumerate(self.seeds))

    def page(self, networks: int) -> Page | None:
        return NetworksPage([f"seed {seed}" for seed in self.seeds], "table") if networks > 1 else None
