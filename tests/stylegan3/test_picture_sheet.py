# SPDX-License-Identifier: Apache-2.0
"""Sheets of plain pictures are laid out here and saved by whoever asked for them."""

import re
from pathlib import Path

import torch
from torch import Tensor

import stylegan3
from stylegan3.picture_sheet import grid, picture_sheet


def test_five_pictures_fill_a_grid_row_by_row_and_the_rest_is_black() -> None:
    pictures = torch.arange(1, 6, dtype=torch.uint8)[:, None, None, None].expand(5, 4, 3, 3)
    sheet = grid(pictures)
    assert sheet.shape == (3 * 4, 2 * 3, 3)
    assert sheet[::4, ::3, 0].tolist() == [[1, 2], [3, 4], [5, 0]]


def test_the_sheet_is_handed_to_what_saves_it() -> None:
    saved: dict[Path, Tensor] = {}
    write = picture_sheet(lambda y: (y * 255).to(torch.uint8).movedim(1, -1), saved.__setitem__)
    told = write(Path("run"), "fakes000000", torch.ones(4, 3, 2, 2))
    assert list(saved) == [Path("run/fakes000000.png")]
    assert saved[Path("run/fakes000000.png")] is told["picture"]
    assert (told["picture"] == 255).all()
    assert told["picture"].shape == (4, 4, 3)


def test_pillow_is_imported_by_the_picture_dataset_alone() -> None:
    files = Path(stylegan3.__file__).parent.rglob("*.py")
    importing = {file.name for file in files if re.search(r"\b(import|from) PIL\b", file.read_text())}
    assert importing <= {"pictures.py", "picture_files.py"}
    assert importing
