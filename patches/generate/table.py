# SPDX-License-Identifier: Apache-2.0
"""One picture of many snapshots: rows down, columns across, their names written at the edges.

With snapshots down and seeds across, the table of the seed paper's appendix: at a glance, where a training went.
Pictures are uint8 [H, W, 3]; only thumbnails are kept, so that a table of 20 snapshots and 100 seeds fits in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = 256  # the larger side of a cell, pixels
GAP = 4
MAXIMUM_SIDE = 32_000  # pixels: viewers and PNG encoders give up beyond
INK = (230, 230, 230)
PAPER = (24, 24, 24)


@dataclass
class Table:
    """Gather thumbnails under (row, column), then draw them. A cell that stays empty is drawn empty."""

    columns: Sequence[str]
    cell: int = CELL
    rows: list[str] = field(default_factory=list)
    _cells: dict[tuple[int, int], Image.Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fits = MAXIMUM_SIDE // max(len(self.columns), 1) - GAP
        self.cell = max(min(self.cell, fits), 16)

    def add_row(self, label: str) -> int:
        """Begin a row and return its number."""
        self.rows.append(label)
        return len(self.rows) - 1

    def put(self, row: int, column: int, picture: np.ndarray) -> None:
        """Place a picture uint8 [H, W, 3], shrunk into the cell with its proportions kept."""
        image = Image.fromarray(picture)
        factor = self.cell / max(image.size)
        size = (max(round(image.width * factor), 1), max(round(image.height * factor), 1))
        way = Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST
        self._cells[row, column] = image.resize(size, way)

    def draw(self) -> np.ndarray:
        """Draw the table. Shape: uint8 [H, W, 3]."""
        font = ImageFont.load_default(size=max(self.cell // 12, 11))
        left = _widest(self.rows, font) + 2 * GAP
        top = _height(font) + 2 * GAP
        wide, high = self._cell_size()
        page = Image.new("RGB", (left + len(self.columns) * (wide + GAP), top + len(self.rows) * (high + GAP)), PAPER)
        pen = ImageDraw.Draw(page)
        for column, label in enumerate(self.columns):
            name = label if self.cell >= CELL // 2 else label.rpartition(" ")[2]
            pen.text((left + column * (wide + GAP) + wide // 2, GAP), name, fill=INK, font=font, anchor="ma")
        for row, label in enumerate(self.rows):
            pen.text((left - GAP, top + row * (high + GAP) + high // 2), label, fill=INK, font=font, anchor="rm")
        _paste(page, self._cells, (left, top), (wide + GAP, high + GAP))
        return np.asarray(page)

    def _cell_size(self) -> tuple[int, int]:
        sizes = [image.size for image in self._cells.values()] or [(self.cell, self.cell)]
        return max(width for width, _ in sizes), max(height for _, height in sizes)


def _paste(
    page: Image.Image,
    cells: Mapping[tuple[int, int], Image.Image],
    origin: tuple[int, int],
    step: tuple[int, int],
) -> None:
    for (row, column), image in cells.items():
        page.paste(image, (origin[0] + column * step[0], origin[1] + row * step[1]))


def _widest(texts: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return round(max((font.getlength(text) for text in texts), default=0))


def _height(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return round(font.getbbox("0123456789kimgsdp")[3])
