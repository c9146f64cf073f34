# SPDX-License-Identifier: Apache-2.0
"""What every representation is: a frozen dataclass of its parameters that maps sound <-> canvas, and its registry.

A canvas is float32 [C, F, T], row 0 the HIGHEST frequency; a sound is float32 [2, L]. Both maps are batched over any
leading axes, run where their tensor lies, and decode is differentiable.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Protocol, TypeVar

import torch

from spect.errors import SoundError


class Representation(Protocol):
    """A reversible map between a stereo sound of a fixed length and a canvas of a fixed shape."""

    @property
    def name(self) -> str:
        """The registered name."""

    @property
    def sample_rate(self) -> int:
        """Samples a second, in Hz."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """The canvas: (C, F, T)."""

    @property
    def samples(self) -> int:
        """The sound's length L that fills a canvas."""

    def encode(self, sound: torch.Tensor) -> torch.Tensor:
        """Turn sounds into canvases. Shape: [..., 2, L] -> [..., C, F, T]."""

    def decode(self, canvas: torch.Tensor) -> torch.Tensor:
        """Turn canvases into sounds. Shape: [..., C, F, T] -> [..., 2, L]."""

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON; `from_dict` makes an equal representation of it."""


REPRESENTATIONS: dict[str, type] = {}
_Class = TypeVar("_Class", bound=type)


def register(cls: _Class) -> _Class:
    """Enter a representation class under its `name` (a class decorator)."""
    name = cls.name  # type: ignore[attr-defined]
    if REPRESENTATIONS.setdefault(name, cls) is not cls:
        raise ValueError(f"two representations are called {name!r}")
    return cls


def parameters(representation: Any) -> dict[str, Any]:
    """Return `name` and the dataclass fields of a representation: the common body of `to_dict`."""
    return {"name": representation.name, **asdict(representation)}


def from_dict(values: Mapping[str, Any]) -> Representation:
    """Make the representation that `to_dict` described.

    Raises:
        SoundError: an unknown name, an unexpected parameter, or a value its class refuses.
    """
    given = dict(values)
    name = given.pop("name", None)
    if name not in REPRESENTATIONS:
        raise SoundError(f"representation {name!r} is unknown; there are {', '.join(sorted(REPRESENTATIONS))}")
    cls = REPRESENTATIONS[name]
    unexpected = sorted(set(given) - {field.name for field in fields(cls)})
    if unexpected:
        raise SoundError(f"representation {name!r} has no parameter {', '.join(unexpected)}")
    made: Representation = cls(**given)
    return made
