# SPDX-License-Identifier: Apache-2.0
"""Sheets of plain pictures: a batch as one png grid."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

Save = Callable[[Path, Tensor], None]
"""Writes a png whole or not at all: (path, uint8 [H, W, 3])."""


def picture_sheet(preview: Callable[[Tensor], Tensor], save: Save) -> Callable[[Path, str, Tensor], dict[str, Any]]:
    """Return a writer of `folder/name.png`: about square, row by row.

    Args:
        save: what writes the file.
        preview: model space [N, C, F, T] -> uint8 [N, F, T, 3].
    """

    def write(folder: Path, name: str, pictures: Tensor) -> dict[str, Any]:
        sheet = grid(preview(pictures)).cpu()
        save(folder / f"{name}.png", sheet)
        return {"picture": sheet}

    return write


def grid(pictures: Tensor) -> Tensor:
    """Lay pictures out in a grid of about as many columns as rows. Shape: [N, F, T, 3] -> [rows*F, columns*T, 3]."""
    n, f, t, c = pictures.shape
    columns = max(1, round(n**0.5))
    rows = -(-n // columns)
    sheet = pictures.new_zeros(rows * columns, f, t, c)
    sheet[:n] = pictures
    return sheet.view(rows, columns, f, t, c).transpose(1, 2).reshape(rows * f, columns * t, c)
