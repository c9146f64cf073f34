# SPDX-License-Identifier: Apache-2.0
"""One picture of many snapshots: snapshots down, seeds across, kimg and seed written at the edges.

The table of the seed paper's appendix, which shows at a glance where a training went.
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
    """Gather thumbnails under (row, seed), then draw them. A cell that stays empty is drawn empty."""

    seeds: Sequence[int]
    cell: int = CELL
    rows: list[str] = field(default_factory=list)
    _cells: dict[tuple[int, int], Image.Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fits = MAXIMUM_SIDE // max(len(self.seeds), 1) - GAP
        self.cell = max(min(self.cell, fits), 16)

    def add_row(self, label: str) -> int:
        """Begin the row of a snapshot and return its number."""
        self.rows.append(label)
        return len(self.rows) - 1

    def put(self, row: int, seed: int, picture: np.ndarray) -> None:
        """Place a picture uint8 [H, W, 3], shrunk into the cell with its proportions kept."""
        image = Image.fromarray(picture)
        factor = self.cell / max(image.size)
        size = (max(round(image.width * factor), 1), max(round(image.height * factor), 1))
        way = Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST
        self._cells[row, seed] = image.resize(size, way)

    def draw(self) -> np.ndarray:
        """Draw the table. Shape: uint8 [H, W, 3]."""
        font = ImageFont.load_default(size=max(self.cell // 12, 11))
        left = _widest(self.rows, font) + 2 * GAP
        top = _height(font) + 2 * GAP
        wide, high = self._cell_size()
        page = Image.new("RGB", (left + len(self.seeds) * (wide + GAP), top + len(self.rows) * (high + GAP)), PAPER)
        pen = ImageDraw.Draw(page)
        for column, seed in enumerate(self.seeds):
            name = f"seed {seed}" if self.cell >= CELL // 2 else str(seed)
            pen.text((left + column * (wide + GAP) + wide // 2, GAP), name, fill=INK, font=font, anchor="ma")
        for row, label in enumerate(self.rows):
            pen.text((left - GAP, top + row * (high + GAP) + high // 2), label, fill=INK, font=font, anchor="rm")
        _paste(page, self._cells, self.seeds, (left, top), (wide + GAP, high + GAP))
        return np.asarray(page)

    def _cell_size(self) -> tuple[int, int]:
        sizes = [image.size for image in self._cells.values()] or [(self.cell, self.cell)]
        return max(width for width, _ in sizes), max(height for _, height in sizes)


def _paste(
    page: Image.Image,
    cells: Mapping[tuple[int, int], Image.Image],
    seeds: Sequence[int],
    origin: tuple[int, int],
    step: tuple[int, int],
) -> None:
    columns = {seed: column for column, seed in enumerate(seeds)}
    for (row, seed), image in cells.items():
        page.paste(image, (origin[0] + columns[seed] * step[0], origin[1] + row * step[1]))


def _widest(texts: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return round(max((font.getlength(text) for text in texts), default=0))


def _height(font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    return round(font.getbbox("0123456789kimgsdp")[3])
