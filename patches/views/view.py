# SPDX-License-Identifier: Apache-2.0
"""The view that a network learns from: a representation (spect/) and a scaling (patches/), one object.

It goes from the archive's canvases to model space and from there to sound and to a preview; stylegan3/ receives its
callables only. A view travels in every snapshot (`to_dict`), so that a network finds its way back to sound alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from patches.augment.transform import Transform
from patches.errors import UserError
from patches.fitting import Sample, cached
from patches.scaling import Scaling, scaling_from_dict
from spect import representation as spect_representation
from spect.representation import Representation, typed_arguments

if TYPE_CHECKING:
    from spect.archives.opening import AnyArchive

Fit = Callable[[Sample], Scaling]
"""Fit a scaling to a sample of an archive's train items."""


@dataclass(frozen=True)
class Kind:
    """What a view's name stands for.

    Args:
        cls: the representation's class.
        scalings: how each scaling that this view can have is fitted, by name; the first is the default.
        transforms: the augmentations that keep a sound a sound in this view, done on its canvases.
        on_request: others that can be had by name; no operations on sound.
    """

    cls: Any
    scalings: Mapping[str, Fit]
    transforms: Callable[[Any], tuple[Transform, ...]]
    on_request: tuple[Transform, ...] = ()

    @property
    def scaling(self) -> str:
        """The name of the default scaling."""
        return next(iter(self.scalings))


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make a view known by its representation's name."""
    KINDS[kind.cls.name] = kind


def kind_of(name: str) -> Kind:
    """Find a kind of view.

    Raises:
        UserError: no view has that name.
    """
    if name not in KINDS:
        raise UserError(f"--view: got {name!r}; allowed: {', '.join(sorted(KINDS))}")
    return KINDS[name]


@dataclass(frozen=True)
class View:
    """A representation with its scaling: canvas <-> model space -> sound, preview."""

    representation: Representation
    scaling: Scaling

    @classmethod
    def fit(
        cls,
        archive: AnyArchive,
        name: str = "cmyk",
        scaling: str | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> View:
        """Fit a view to an archive's train items.

        Args:
            scaling: None: the view's own.
            arguments: the representation's parameters that were chosen by hand, as text.

        Raises:
            UserError, SoundError: an unknown view, scaling or argument, sounds that don't fit the view, or an archive
                in which everything is silent.
        """
        kind = kind_of(name)
        chosen = scaling or kind.scaling
        if chosen not in kind.scalings:
            raise UserError(f"--scaling: got {chosen!r}; allowed with the view {name}: {', '.join(kind.scalings)}")
        representation = suited(name, archive.representation, arguments or {})
        sample = Sample(archive, representation)
        return cls(representation, cached(sample, chosen, kind.scalings[chosen]))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> View:
        """Read `to_dict`'s form back, exactly."""
        kind_of(values["representation"]["name"])
        representation = spect_representation.from_dict(values["representation"])
        return cls(representation, scaling_from_dict(values["scaling"]))

    def to_dict(self) -> dict[str, Any]:
        """Give everything as JSON types, exactly."""
        return {"representation": self.representation.to_dict(), "scaling": self.scaling.to_dict()}

    @property
    def name(self) -> str:
        """The representation's name."""
        return self.representation.name

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, F, T) of a picture."""
        return self.representation.shape

    @property
    def sample_rate(self) -> int:
        """In Hz."""
        return self.representation.sample_rate

    @property
    def samples(self) -> int:
        """Length L of a sound."""
        return self.representation.samples

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The augmentations that this view bears, in the order in which they are applied."""
        return kind_of(self.name).transforms(self.representation)

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(transform.name for transform in self.transforms)

    @property
    def on_request(self) -> tuple[Transform, ...]:
        """Augmentations that can be had by name only."""
        return kind_of(self.name).on_request

    def picture(self, stored: Representation, canvas: Tensor) -> Tensor:
        """Go from an archive's canvases to model space.

        Args:
            stored: the representation that the canvases are in.

        Shape: [N, 4, F', T'] -> [N, C, F, T].
        """
        return self.to_model(spect_representation.convert(canvas, stored, self.representation))

    def to_model(self, canvas: Tensor) -> Tensor:
        """Scale canvases of the view's own representation. Shape: [N, C, F, T] -> same."""
        return self.scaling.to_model(canvas)

    def from_model(self, picture: Tensor) -> Tensor:
        """Go from what a network makes to canvases. Shape: [N, C, F, T] -> same."""
        return self.scaling.from_model(picture)

    def sound(self, picture: Tensor, seeds: Sequence[int] | None = None) -> Tensor:
        """Decode pictures of model space.

        Args:
            seeds: one a picture, for what a decoder draws (None: 0 for each).

        Shape: [N, C, F, T] -> [N, 2, L].
        """
        return self.representation.decode(self.from_model(picture), seeds=seeds)

    def preview(self, picture: Tensor) -> Tensor:
        """Draw pictures of model space. Shape: [N, C, F, T] -> uint8 [N, H, W, 3]."""
        return self.representation.preview(self.from_model(picture))


def suited(name: str, stored: Representation, arguments: Mapping[str, str]) -> Representation:
    """Choose a view's F x T for an archive's sounds; the archive's own representation where it is of that name.

    Raises:
        SoundError: an argument that the representation doesn't have, or sounds that don't fit.
    """
    cls = kind_of(name).cls
    if stored.name == name and not arguments:
        return stored
    _, rows, frames = stored.shape
    typed = typed_arguments(cls, arguments)
    made: Representation = cls.suited(stored.sample_rate, stored.samples, rows, frames, **typed)
    return made


def seconds_cut(view: View, stored: Representation) -> float:
    """Tell how much of an archive's sounds' ends a view leaves out; 0 where nothing."""
    return max(0, stored.samples - view.samples) / view.sample_rate
