# SPDX-License-Identifier: Apache-2.0
"""What every representation is: a frozen dataclass of its parameters that maps sound <-> canvas, and its registry.

A canvas is float32 [C, F, T], row 0 the HIGHEST frequency; a sound is float32 [2, L]. Both maps are batched over any
leading axes, run where their tensor lies, and decode is differentiable where it is exact. Where the phase is lost,
decode finds one; what it draws for that, it draws from each item's seed, so that a sound doesn't depend on its batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Literal, Protocol, Self, TypeVar, get_args, get_origin, get_type_hints

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

    def decode(self, canvas: torch.Tensor, *, seeds: Sequence[int] | None = None) -> torch.Tensor:
        """Turn canvases into sounds.

        Args:
            seeds: one for each item (of the leading axes, flattened), for what is drawn; None: 0 for each. An exact
                representation draws nothing.

        Shape: [..., C, F, T] -> [..., 2, L].
        """

    @classmethod
    def suited(cls, sample_rate: int, samples: int, rows: int, frames: int, /, **arguments: Any) -> Self:
        """Choose F x T for sounds of `samples` samples so that networks can learn it (`trainable`).

        Args:
            rows, frames: of the picture that the sounds are stored in: about the size that is wanted.
            arguments: parameters that are given; they go before what would be chosen.

        Raises:
            SoundError: nothing fits; the line says what would.
        """

    def preview(self, canvas: torch.Tensor) -> torch.Tensor:
        """Draw canvases for the eye (spect/preview.py). Shape: [N, C, F, T] -> uint8 [N, H, W, 3]."""

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters, for JSON; `from_dict` makes an equal representation of it."""


REPRESENTATIONS: dict[str, type] = {}
COUNTS = ("rows", "frames", "window", "hop", "samples", "length")
"""Parameters that are sizes; where one is a number, it is a whole one from 1 up."""
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


def trainable(rows: int, frames: int) -> bool:
    """Tell whether networks learn this shape as it stands: smaller side a power of two from 16, larger a multiple."""
    small, large = min(rows, frames), max(rows, frames)
    return small >= 16 and small & (small - 1) == 0 and large % small == 0


def check_counts(name: str, given: Mapping[str, Any]) -> None:
    """Check sizes that were given by hand, before anything is divided by them.

    Args:
        name: of the representation, for the message.

    Raises:
        SoundError: one is below 1.
    """
    for key in COUNTS:
        value = given.get(key)
        if isinstance(value, int) and value < 1:
            raise SoundError(f"{name}: {key} is a whole number from 1 up, got {value}")


def convert(canvas: torch.Tensor, stored: Representation, wanted: Representation) -> torch.Tensor:
    """Turn canvases of one representation into those of another, through the sound.

    The end of a sound that is longer is cut, a shorter one is filled up with silence. Canvases of an equal
    representation come back as they are.

    Shape: [..., C, F, T] -> [..., C', F', T'].

    Raises:
        SoundError: the sample rates differ (a view never resamples).
    """
    if stored == wanted:
        return canvas
    if stored.sample_rate != wanted.sample_rate:
        raise SoundError(f"{wanted.name}: made for {wanted.sample_rate} Hz, these sounds have {stored.sample_rate} Hz")
    return wanted.encode(of_length(stored.decode(canvas), wanted.samples))


def of_length(sound: torch.Tensor, samples: int) -> torch.Tensor:
    """Cut a sound's end, or fill it up with silence. Shape: [..., L] -> [..., samples]."""
    return torch.nn.functional.pad(sound[..., :samples], (0, max(0, samples - sound.shape[-1])))


def parse_arguments(text: str) -> dict[str, str]:
    """Read "hop=64,window=256".

    Raises:
        SoundError: it isn't of that form, or says one thing twice.
    """
    pairs = [tuple(side.strip() for side in part.partition("=")) for part in text.split(",") if part.strip()]
    if not all(name and equals and value for name, equals, value in pairs):
        raise SoundError(f"--view-args={text}: give parameters like window=1024,hop=256")
    names = [name for name, _, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SoundError(f"--view-args={text}: {', '.join(twice)} is there more than once; give each once")
    return {name: value for name, _, value in pairs}


def typed_arguments(cls: type, texts: Mapping[str, str]) -> dict[str, Any]:
    """Read parameters that came as text by the types of a representation's fields.

    Raises:
        SoundError: a parameter that it doesn't have, or a value of another type.
    """
    hints = {field.name: get_type_hints(cls)[field.name] for field in fields(cls) if field.name != "sample_rate"}
    name = cls.name  # type: ignore[attr-defined]
    for key in texts:
        if key not in hints:
            raise SoundError(f"view {name}: it has no parameter {key!r}; allowed: {', '.join(hints)}")
    return {key: _typed(f"view {name}: {key}", hints[key], text) for key, text in texts.items()}


def _typed(label: str, hint: Any, text: str) -> Any:
    if get_origin(hint) is Literal:
        by_text = {str(value): value for value in get_args(hint)}
        if text not in by_text:
            raise SoundError(f"{label} is one of {', '.join(by_text)}, got {text!r}")
        return by_text[text]
    if hint is bool:
        if text not in ("0", "1", "false", "true"):
            raise SoundError(f"{label} is true or false, got {text!r}")
        return text in ("1", "true")
    for kind, word in ((int, "a whole number"), (float, "a number"), (str, "text")):
        if hint is kind or kind in get_args(hint):
            try:
                return kind(text)
            except ValueError:
                raise SoundError(f"{label} is {word}, got {text!r}") from None
    raise SoundError(f"{label} can't be given as text")
