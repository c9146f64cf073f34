# SPDX-License-Identifier: Apache-2.0
"""Canvases for the eye (Henshaw 2022, section 2.2): discard signs, scale to [0, 1], CMYK -> RGB, invert, log2 rows.

    R = 255 (1 - C)(1 - K),  G = 255 (1 - M)(1 - K),  B = 255 (1 - Y)(1 - K)                     (equations 5 to 7)

Inverted, so light on black: Re mid is red, Im mid green, Re side blue, Im side white; silence is black. A mono sound
is red to green with its phase. Low frequencies are at the bottom, each octave as high as the next.
The paper scales values linearly; sounds' are so sparse (kurtosis about 1 400) that little but the attack would show.
Here brightness is linear in decibels, from `range_db` below the loudest value (0) up to it (1).

Pictures of magnitudes (`levels`) are white on black, in stereo left orange and right blue: the two add up to white.
"""

import io
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from spect.errors import SoundError
from spect.files import whole_file

RANGE_DB = 70.0
LEFT, RIGHT = (1.0, 0.55, 0.1), (0.0, 0.45, 0.9)  # of light; both together are white


def picture(
    canvas: torch.Tensor,
    *,
    height: int | None = None,
    full_scale: float | None = None,
    range_db: float = RANGE_DB,
    dc_slot: bool = True,
) -> torch.Tensor:
    """Draw canvases as pictures.

    Args:
        canvas: values that are linear in the sound, as those of `cmyk` (raw transform sums).
        height: rows of the picture; None is F.
        full_scale: the value of full brightness; None is each canvas's own largest. One number for all makes
            pictures comparable in level.
        range_db: decibels from black to full brightness.
        dc_slot: the imaginary parts of row 0 hold DC and aren't drawn.

    Shape: [N, 4, F, T] -> uint8 [N, height, T, 3].
    """
    if canvas.ndim != 4 or canvas.shape[1] != 4:
        raise SoundError(f"preview: canvases are [N, 4, F, T], got {list(canvas.shape)}")
    size = torch.nan_to_num(canvas.detach().float(), nan=0.0, posinf=0.0, neginf=0.0).abs()
    if dc_slot:
        size[:, 1::2, 0] = 0
    largest = size.amax(dim=(1, 2, 3), keepdim=True) if full_scale is None else size.new_tensor(full_scale)
    # A silent canvas has no largest value: the floor turns 0 / 0 into 0.
    decibels = 20 * torch.log10(size / largest.clamp_min(torch.finfo(torch.float32).tiny))
    ink = (1 + decibels / range_db).clamp(0, 1)
    ink = _log2_rows(ink.shape[2], height or ink.shape[2]).to(ink) @ ink
    colours, key = ink[:, :3], ink[:, 3:]
    light = 1 - (1 - colours) * (1 - key)  # the negative of equations 5 to 7
    return (255 * light).round().to(torch.uint8).movedim(1, -1).contiguous()


def levels(
    decibels: torch.Tensor,
    *,
    lowest_bin: int | None = 0,
    height: int | None = None,
    floor_db: float = -100.0,
    full_scale_db: float | None = None,
    range_db: float = RANGE_DB,
) -> torch.Tensor:
    """Draw log magnitudes: of one channel, or of left and right.

    Args:
        decibels: row 0 the highest frequency.
        lowest_bin: of the transform, in the last row (0: DC, which isn't drawn); rows go on a log2 axis. None: the rows
            are no bins of equal width, and are drawn as they stand.
        height: rows of the picture; None is F.
        floor_db: the level of silence: black, also where there is nothing louder.
        full_scale_db: the level of full brightness; None is each canvas's own largest.
        range_db: decibels from black to full brightness.

    Shape: [N, 1 or 2, F, T] -> uint8 [N, height, T, 3].
    """
    if decibels.ndim != 4 or decibels.shape[1] not in (1, 2):
        raise SoundError(f"preview: log magnitudes are [N, 1 or 2, F, T], got {list(decibels.shape)}")
    rows = decibels.shape[2]
    size = torch.nan_to_num(decibels.detach().float())
    largest = size.amax(dim=(1, 2, 3), keepdim=True) if full_scale_db is None else size.new_tensor(full_scale_db)
    largest = largest.clamp_min(floor_db + range_db)
    ink = (1 + (size - largest) / range_db).clamp(0, 1)
    if lowest_bin is not None:
        drawn = rows if lowest_bin else rows - 1
        ink = _log2_rows(drawn, height or rows).to(ink) @ ink[:, :, :drawn]
    elif height not in (None, rows):
        raise SoundError(f"preview: rows that are no bins keep their number ({rows}), got a height of {height}")
    colours = ink.new_tensor([LEFT, RIGHT] if ink.shape[1] == 2 else [[1.0, 1.0, 1.0]])
    light = torch.einsum("ncht,cr->nhtr", ink, colours)
    return (255 * light).round().clamp(0, 255).to(torch.uint8).contiguous()


@lru_cache(maxsize=16)
def _log2_rows(rows: int, height: int) -> torch.Tensor:
    """Return the weights that average a canvas's rows into bands of equal width in octaves. Shape: [height, rows].

    Bin k covers [k - 1/2, k + 1/2]; the picture covers bin 1's centre up to rows + 1/2, its top row the highest.
    """
    edges = 2.0 ** np.linspace(math.log2(rows + 0.5), 0.0, height + 1)
    high, low = edges[:-1, None], edges[1:, None]
    bins = np.arange(rows, 0, -1)[None]
    overlap = np.clip(np.minimum(high, bins + 0.5) - np.maximum(low, bins - 0.5), 0, None)
    return torch.from_numpy(overlap / overlap.sum(axis=1, keepdims=True)).float()


def grid(pictures: torch.Tensor, columns: int, gap: int = 2) -> torch.Tensor:
    """Lay pictures out row by row, `gap` dark grey pixels between them.

    Shape: uint8 [N, H, W, 3] -> uint8 [rows * (H + gap) - gap, columns * (W + gap) - gap, 3].
    """
    count, height, width, _ = pictures.shape
    if count == 0 or columns < 1:
        raise SoundError(f"preview: a grid needs pictures and columns, got {count} and {columns}")
    columns = min(columns, count)
    rows = -(-count // columns)
    sheet = torch.full((rows, height + gap, columns, width + gap, 3), 48, dtype=torch.uint8)
    for index, shown in enumerate(pictures.cpu()):
        sheet[index // columns, :height, index % columns, :width] = shown
    whole = sheet.reshape(rows * (height + gap), columns * (width + gap), 3)
    return whole[: rows * (height + gap) - gap, : columns * (width + gap) - gap].contiguous()


def save_png(path: str | Path, rgb: torch.Tensor | np.ndarray) -> None:
    """Write a picture as png, whole or not at all. Shape: uint8 [H, W, 3]."""
    pixels = np.ascontiguousarray(rgb.cpu().numpy() if isinstance(rgb, torch.Tensor) else rgb)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise SoundError(f"{path}: a picture is uint8 [H, W, 3], got {pixels.dtype} {list(pixels.shape)}")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    with whole_file(path) as file:
        file.write(buffer.getvalue())
