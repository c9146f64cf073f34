# SPDX-License-Identifier: Apache-2.0
"""The pages beside the sounds: one table of all networks, or a grid for each network."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from patches.generate.table import Table
from spect.preview import save_png

Cells = Iterable[tuple[int, int]]


class Page(Protocol):
    """Gathers pictures uint8 [H, W, 3].

    `begin` and `end` go with each network, `close` follows the last: `end` or `close` writes a file, its name ending in
    what the settings add to the sounds' names, or to all of them where a network makes more than one row (`shared`).
    """

    def begin(self, label: str, suffix: str, shared: str) -> None: ...
    def put(self, cells: Cells, picture: np.ndarray) -> None: ...
    def end(self, folder: Path) -> Path | None: ...
    def close(self, outdir: Path) -> Path | None: ...


class NetworksPage:
    """One table: a row for each network, a column for each sound."""

    def __init__(self, columns: Sequence[str], name: str) -> None:
        self.table, self.name, self.suffix, self.row = Table(columns), name, "", -1

    def begin(self, label: str, suffix: str, shared: str) -> None:
        self.suffix = shared
        self.row = self.table.add_row(label)

    def put(self, cells: Cells, picture: np.ndarray) -> None:
        for _, column in cells:
            self.table.put(self.row, column, picture)

    def end(self, folder: Path) -> Path | None:
        return None

    def close(self, outdir: Path) -> Path | None:
        return _saved(self.table, outdir / f"{self.name}{self.suffix}.png")


class GridPage:
    """A table for each network, in its own folder, with the same rows and columns."""

    def __init__(self, rows: Sequence[str], columns: Sequence[str], name: str) -> None:
        self.rows, self.columns, self.name, self.suffix = rows, columns, name, ""
        self.table = Table(columns)

    def begin(self, label: str, suffix: str, shared: str) -> None:
        self.suffix = suffix
        self.table = Table(self.columns)
        for row in self.rows:
            self.table.add_row(row)

    def put(self, cells: Cells, picture: np.ndarray) -> None:
        for row, column in cells:
            self.table.put(row, column, picture)

    def end(self, folder: Path) -> Path | None:
        return _saved(self.table, folder / f"{self.name}{self.suffix}.png")

    def close(self, outdir: Path) -> Path | None:
        return None


def _saved(table: Table, path: Path) -> Path:
    save_png(path, table.draw())
    return path
