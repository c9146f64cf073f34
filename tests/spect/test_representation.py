# SPDX-License-Identifier: Apache-2.0
"""What holds for every representation: sizes given by hand are refused in words where they make no sense."""

from typing import Any

import pytest

import spect.views  # noqa: F401  (registers every representation)
from spect.errors import SoundError
from spect.representation import REPRESENTATIONS

SIZES = ("rows", "frames", "window", "hop", "samples", "length")


@pytest.mark.parametrize("value", [0, -1, -16])
@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_sizes_below_1_are_refused_alone_and_with_others(name: str, value: int) -> None:
    cls: Any = REPRESENTATIONS[name]
    hints = {size: cls.__annotations__.get(size) for size in SIZES}
    sizes = [size for size, hint in hints.items() if hint is int]
    for size in sizes:
        for others in ({}, {other: 16 for other in sizes if other in ("rows", "frames")}):
            with pytest.raises(SoundError, match=f"{name}: {size} is a whole number from .* up, got {value}"):
                cls.suited(8000, 8192, 64, 64, **{**others, size: value})


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_more_frames_than_the_sounds_have_are_refused(name: str) -> None:
    cls: Any = REPRESENTATIONS[name]
    more = {"length": 10**6} if name == "wave" else {"rows": 64, "frames": 10**6}
    with pytest.raises(SoundError, match=f"{name}: "):
        cls.suited(8000, 8192, 64, 64, **more)
