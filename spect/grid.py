# SPDX-License-Identifier: Apache-2.0
"""Choose rows, columns and hop of a picture whose hop is free, for sounds of a given length.

Networks learn shapes whose smaller side is a power of two from 16 up and whose larger side is a multiple of it. The one
nearest to the wanted size, in octaves of both sides, is taken, and the hop is made so that the columns cover the sound.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from spect.errors import SoundError
from spect.representation import check_counts
from spect.shapes import trainable_shapes

POWERS = range(4, 15)  # of two: smaller sides
MULTIPLES = 64


def choose_grid(
    name: str,
    samples: int,
    wanted: tuple[float, float],
    given: Mapping[str, Any],
    window: Callable[[int, int], int],
) -> dict[str, Any]:
    """Choose rows, frames, window, hop, first and samples. What is given stands.

    The picture's own length is the sounds', unless a given hop covers less (the rest is cut) or more (by one window at
    most: filled up with silence).

    Args:
        name: of the representation, for messages.
        samples: length of the sounds.
        wanted: rows and frames, about.
        window: rows, hop -> W.

    Raises:
        SoundError: the sounds are too short, or what is given can't be had together.
    """
    check_counts(name, given)
    length = given.get("samples", samples)
    frames = length / given["hop"] if "hop" in given else wanted[1]
    allowed = (shape for shape in _shapes(given) if _reaches(*shape, length, given, window))
    nearest = min(allowed, key=lambda s: abs(math.log2(s[0] / wanted[0])) + abs(math.log2(s[1] / frames)), default=None)
    if nearest is None or nearest[1] > length:
        asked = ", ".join(f"{key}={value}" for key, value in given.items() if key in ("rows", "frames", "hop"))
        raise SoundError(f"{name}: no picture that networks learn fits {samples} samples{asked and ' with '}{asked}")
    rows, frames = nearest
    hop = given.get("hop", -(-length // frames))
    size = given.get("window", window(rows, hop))
    if "hop" not in given and frames * hop > length + size:
        hop = length // frames
    reach = (frames - 1) * hop
    own = given.get("samples", length if reach < length <= reach + size // 2 else frames * hop)
    if own > samples + size:
        raise SoundError(
            f"{name}: {own} samples are asked for, the sounds have {samples}; at most one window more ({size})"
        )
    first = max(0, own - reach) // 2
    return {"first": first, **given, "rows": rows, "frames": frames, "window": size, "hop": hop, "samples": own}


def _shapes(given: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Give all shapes that networks learn, those alone that have what is given; both sides given go as they are."""
    rows, frames = given.get("rows"), given.get("frames")
    if rows is not None and frames is not None:
        yield rows, frames
        return
    yield from trainable_shapes(POWERS, MULTIPLES, rows, frames)


def _reaches(rows: int, frames: int, length: int, given: Mapping[str, Any], window: Callable[[int, int], int]) -> bool:
    """Tell whether columns of a given hop end with the sound, or at most one window after it."""
    if "hop" not in given:
        return True
    return bool(frames * given["hop"] <= length + given.get("window", window(rows, given["hop"])))
