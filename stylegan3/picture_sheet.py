# SPDX-License-Identifier: Apache-2.0
"""Sheets of plain pictures: a batch as one png grid."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor


def picture_sheet(preview: Callable[[Tensor], Tensor]) -> Callable[[Path, str, Tensor], dict[str, Any]]:
    """Return a writer of `folder/name.png`: about square, row by row.

    Args:
        preview: model space [N, C, F, T] -> uint8 [N, F, T, 3].
    """

    def write(folder: Path, name: str, pictures: Tensor) -> dict[str, Any]:
        from PIL import Image

        sheet = grid(preview(pictures)).cpu().numpy()
        Image.fromarray(sheet).save(folder / f"{name}.png")
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
