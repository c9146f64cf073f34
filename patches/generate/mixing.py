# SPDX-License-Identifier: Apache-2.0
"""Style mixing: sounds whose W is one seed's, with another's in some layers (Karras et al. 2019, section 3.1).

Early layers decide the coarse things of a picture, late ones the fine: a grid of seeds shows which. In a cell stands
the row's W, with the column's in the named layers; along the edges stand the seeds' own sounds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from patches.errors import UserError
from patches.generate.choices import parse_numbers
from patches.generate.pages import GridPage, Page
from patches.generate.points import Point, numbers_in_name
from patches.generate.series import Part

MOST_CELLS = 10_000  # a typing error, not a grid
LAYERS = "--style-layers"


@dataclass(frozen=True)
class Grid:
    """The sounds of each row's and column's seed, and one for each pair of them."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    layers: tuple[int, ...]

    @property
    def name(self) -> str:
        rows, columns = numbers_in_name(self.rows), numbers_in_name(self.columns)
        return f"style{rows}x{columns}_l{numbers_in_name(self.layers)}"

    @property
    def count(self) -> int:
        return len({*self.rows, *self.columns}) + len(self.rows) * len(self.columns)

    @property
    def told(self) -> str:
        sources = len({*self.rows, *self.columns})
        return (
            f"{len(self.rows)} x {len(self.columns)} mixes of {sources} seeds and their own sounds, "
            f"the columns' style in layers {numbers_in_name(self.layers)}"
        )

    def groups(self) -> Iterator[Iterable[Part]]:
        """Yield the seeds' own sounds, then the cells, row by row."""
        yield [Part(Point(seed), self._edges(seed)) for seed in dict.fromkeys((*self.rows, *self.columns))]
        yield (
            Part(self._mix(row, column), ((r + 1, c + 1),))
            for r, row in enumerate(self.rows)
            for c, column in enumerate(self.columns)
        )

    def page(self, networks: int) -> Page:
        rows, columns = ([f"seed {seed}" for seed in seeds] for seeds in (self.rows, self.columns))
        return GridPage(["", *rows], ["", *columns], self.name)

    def _mix(self, row: int, column: int) -> Point:
        name = f"seed{row:04d}-{column:04d}_l{numbers_in_name(self.layers)}"
        return Point(row, column, 1.0, self.layers, name)

    def _edges(self, seed: int) -> tuple[tuple[int, int], ...]:
        left = [(r + 1, 0) for r, row in enumerate(self.rows) if row == seed]
        top = [(0, c + 1) for c, column in enumerate(self.columns) if column == seed]
        return (*left, *top)


def parse_grid(rows: str | None, columns: str | None, layers: str | None) -> Grid:
    """Read the three options of a grid.

    Raises:
        UserError: one is missing or malformed, or they ask for more than ten thousand sounds.
    """
    given = {"--style-rows": rows, "--style-cols": columns, LAYERS: layers}
    missing = [name for name, text in given.items() if text is None]
    if missing:
        raise UserError(
            f"{', '.join(missing)}: missing; a grid takes --style-rows 0-4 --style-cols 5-9 {LAYERS} 0-6, "
            "the layers (0 is the coarsest) that get the column's style"
        )
    read = {name: parse_numbers(text or "", name) for name, text in given.items()}
    grid = Grid(read["--style-rows"], read["--style-cols"], tuple(sorted(read[LAYERS])))
    if len(grid.rows) * len(grid.columns) > MOST_CELLS:
        raise UserError(
            f"--style-rows, --style-cols: {len(grid.rows)} x {len(grid.columns)} are more than {MOST_CELLS} sounds"
        )
    return grid
