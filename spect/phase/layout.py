# SPDX-License-Identifier: Apache-2.0
"""Choose F x T and the hop of a log-magnitude picture (rows F = W/2, Hann) for sounds of a given length.

Of the shapes that networks learn (`trainable`) the one whose hop is nearest to W/4, where phase is found best for the
number of values, and that is nearest to square: that is F T = 2 L. 8 192 samples: 128x128 at hop 64; 524 288: 1024x1024
at hop 512. A hop of more than W/2 is taken only where it was asked for.
"""

import math
from collections.abc import Mapping
from typing import Any

from spect.errors import SoundError
from spect.representation import check_counts
from spect.shapes import trainable_shapes

OVERLAP = 4  # W / hop that is wanted
LEAST_OVERLAP = 2
SQUARE = 0.49  # what an octave off the square counts, against an octave off the overlap
POWERS = range(4, 14)  # of two: smaller sides
MULTIPLES = 8


def suited_layout(name: str, samples: int, given: Mapping[str, Any]) -> dict[str, int]:
    """Choose rows, frames, hop, first and samples; what is given of them stands.

    The picture's own length is the sounds', unless the given hop covers less (the rest is cut) or more (by one frame at
    most: filled up with silence).

    Args:
        name: of the representation, for messages.
        samples: length of the sounds.

    Raises:
        SoundError: the sounds are too short, or what is given can't be had together.
    """
    check_counts(name, given)
    length = given.get("samples", samples)
    asked = "".join(f" with {key}={given[key]}" for key in ("rows", "frames", "hop") if key in given)
    shapes = trainable_shapes(POWERS, MULTIPLES, given.get("rows"), given.get("frames"))
    fitting = [shape for shape in shapes if _covers(*shape, length, given.get("hop"))]
    if "rows" in given and "frames" in given:
        fitting = [(given["rows"], given["frames"])]
    if not fitting:
        raise SoundError(f"{name}: no shape that networks learn fits sounds of {length} samples{asked}; from 128 up")
    rows, frames = min(fitting, key=lambda shape: _cost(shape, given.get("hop", length / shape[1])))
    hop = given.get("hop", _hop(length, frames))
    if "hop" not in given and hop >= 2 * rows:
        raise SoundError(
            f"{name}: {frames} columns{asked} take a hop of {hop} to cover {length} samples, "
            f"and the window is {2 * rows}: give more rows or more frames, or a hop below that"
        )
    own = given.get("samples", _own(length, rows, frames, hop))
    if own > samples + 2 * rows:
        raise SoundError(
            f"{name}: {frames} frames{asked} take {own} samples, the sounds have {samples}; "
            f"at most one frame more ({2 * rows}) is allowed: take fewer frames, or a hop of {samples // frames}"
        )
    first = max(0, own - (frames - 1) * hop) // 2
    return {"first": first, **given, "rows": rows, "frames": frames, "hop": hop, "samples": own}


def _covers(rows: int, frames: int, length: int, hop: int | None) -> bool:
    """Tell whether frames overlap by half at least and don't run past the sound by more than one frame."""
    if hop is None:
        return frames <= length and LEAST_OVERLAP * length <= 2 * rows * frames
    return hop < 2 * rows and (frames - 1) * hop < length + 2 * rows


def _cost(shape: tuple[int, int], hop: float) -> tuple[float, int]:
    """Octaves off the wanted overlap and off the square; of equals, more rows."""
    rows, frames = shape
    return abs(math.log2(2 * rows / hop / OVERLAP)) + SQUARE * abs(math.log2(rows / frames)), frames


def _hop(length: int, frames: int) -> int:
    """Return the hop at which the frames cover the sound from end to end."""
    hop = -(-length // frames)
    return hop if (frames - 1) * hop < length else max(1, length // frames)


def _own(length: int, rows: int, frames: int, hop: int) -> int:
    """Return the length that the frames cover: the sound's where its ends lie in the middle half of a frame."""
    reach = (frames - 1) * hop
    return length if reach < length <= reach + rows else frames * hop
