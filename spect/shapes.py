# SPDX-License-Identifier: Apache-2.0
"""Shapes that networks learn; the F x T of a picture whose columns stand side by side, for sounds of a given length.

Networks learn shapes whose smaller side is a power of two from 16 up and whose larger side is a multiple of it. Of
those, the one that loses least of the sound, near the wanted number of rows: an octave of rows away counts as much as
OCTAVE of the sound.
"""

import math
from collections.abc import Callable, Iterator

from spect.errors import SoundError
from spect.representation import check_counts, trainable

LEAST_SIDE = 16  # of a shape that networks learn
OCTAVE = 0.1  # of the sound: what an octave away from the wanted rows must save


def trainable_shapes(
    powers: range, multiples: int, rows: int | None = None, frames: int | None = None
) -> Iterator[tuple[int, int]]:
    """Give the shapes that networks learn, as (rows, frames).

    Args:
        powers: smaller sides, as powers of two.
        multiples: how many times as large the larger side may be.
        rows, frames: the shapes alone that have these; None: any.
    """
    for side in (2**power for power in powers):
        for other in (side * multiple for multiple in range(1, multiples + 1)):
            for shape in {(side, other), (other, side)}:
                if rows in (None, shape[0]) and frames in (None, shape[1]):
                    yield shape


def choose_shape(
    name: str,
    samples: int,
    wanted_rows: int,
    column: Callable[[int], int],
    *,
    rows: int | None = None,
    frames: int | None = None,
) -> tuple[int, int]:
    """Choose rows and columns; at most one column holds silence that the sound doesn't have.

    Args:
        name: of the representation, for the message.
        samples: length of the sounds.
        wanted_rows: F of the picture that the sounds are stored in.
        column: rows -> samples that each column adds.
        rows, frames: given by hand; None: chosen. Both given are taken as they are.

    Raises:
        SoundError: the sounds are too short for any such shape; the line says for which they would do.
    """
    check_counts(name, {"rows": rows, "frames": frames})

    def most(f: int) -> int:
        return samples // column(f) + 1  # the last column may run past the end

    if rows is not None and frames is not None:
        if frames > most(rows):
            raise SoundError(
                f"{name}: {rows}x{frames} takes {frames * column(rows)} samples, the sounds have {samples}; "
                f"give up to {most(rows)} frames"
            )
        return rows, frames
    tried = [rows] if rows is not None else range(LEAST_SIDE, 8 * max(wanted_rows, LEAST_SIDE) + 1, LEAST_SIDE)
    fitting = [(f, _columns(f, most(f), frames)) for f in tried]
    usable = [(f, t) for f, t in fitting if t]
    if not usable:
        given = "".join(f" with {label}={value}" for label, value in (("rows", rows), ("frames", frames)) if value)
        side = LEAST_SIDE
        raise SoundError(
            f"{name}: no shape that networks learn fits sounds of {samples} samples{given}; "
            f"the smallest, {side}x{side}, takes {side * column(side)}"
        )

    def cost(shape: tuple[int, int]) -> tuple[float, int]:
        f, t = shape
        lost = max(0, samples - t * column(f)) / samples
        return lost + OCTAVE * abs(math.log2(f / wanted_rows)), abs(t * column(f) - samples)

    return min(usable, key=cost)


def _columns(rows: int, most: int, frames: int | None) -> int:
    """Return the largest trainable number of columns up to `most` (0: none), or `frames` where that is given and is."""
    if frames is not None:
        return frames if frames <= most and trainable(rows, frames) else 0
    longer = most // rows * rows
    power = 1 << min(most, rows & -rows).bit_length() - 1 if most else 0
    return max(t if trainable(rows, t) else 0 for t in (longer, power))
