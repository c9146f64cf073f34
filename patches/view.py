# SPDX-License-Identifier: Apache-2.0
"""The view that a network learns from: a representation (spect/) and a scaling (patches/), one object.

It goes from the archive's canvases to model space and from there to sound and to a preview; stylegan3/ receives its
callables only. A view travels in every snapshot (`to_dict`), so that a network finds its way back to sound alone.

A further view is one `register(name, Kind(...))`: what it takes from an archive, how it looks, what it bears.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from patches.errors import UserError
from patches.scaling import SCALINGS, Scales, Scaling, floored_scales, scaling_from_dict
from spect import representation as spect_representation
from spect.cmyk import Cmyk
from spect.preview import picture
from spect.representation import Representation

if TYPE_CHECKING:
    from spect.archive.reader import Archive


@dataclass(frozen=True)
class Kind:
    """What a view's name stands for.

    Args:
        representation: give the view's representation for an archive's.
        scales: give the robust maxima that its scaling is fitted to.
        preview: draw canvases [N, C, F, T] as uint8 [N, H, W, 3].
        augmentations: names of the transforms that keep a sound a sound in this view.
    """

    representation: Callable[[Archive], Representation]
    scales: Callable[[Archive], Scales]
    preview: Callable[[Tensor], Tensor]
    augmentations: tuple[str, ...]


KINDS: dict[str, Kind] = {}


def register(name: str, kind: Kind) -> None:
    """Make a view known by its representation's name."""
    KINDS[name] = kind


def kind_of(name: str) -> Kind:
    """Find a kind of view.

    Raises:
        UserError: no view has that name.
    """
    if name not in KINDS:
        raise UserError(f"view: got {name!r}; allowed: {', '.join(sorted(KINDS))}")
    return KINDS[name]


@dataclass(frozen=True)
class View:
    """A representation with its scaling: canvas <-> model space -> sound, preview."""

    representation: Representation
    scaling: Scaling

    @classmethod
    def fit(cls, archive: Archive, name: str = "cmyk", scaling: str = "compand") -> View:
        """Fit a view to an archive's train items.

        Raises:
            UserError: an unknown view or scaling, or an archive in which everything is silent.
        """
        kind = kind_of(name)
        if scaling not in SCALINGS:
            raise UserError(f"--scaling: got {scaling!r}; allowed: {', '.join(SCALINGS)}")
        return cls(kind.representation(archive), SCALINGS[scaling].fit(kind.scales(archive)))

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
    def augmentations(self) -> tuple[str, ...]:
        """Names of the transforms that this view bears."""
        return kind_of(self.name).augmentations

    def to_model(self, canvas: Tensor) -> Tensor:
        """Go from canvases to what a network sees. Shape: [N, C, F, T] -> same."""
        return self.scaling.to_model(canvas)

    def from_model(self, picture: Tensor) -> Tensor:
        """Go from what a network makes to canvases. Shape: [N, C, F, T] -> same."""
        return self.scaling.from_model(picture)

    def sound(self, picture: Tensor) -> Tensor:
        """Decode pictures of model space. Shape: [N, C, F, T] -> [N, 2, L]."""
        return self.representation.decode(self.from_model(picture))

    def preview(self, picture: Tensor) -> Tensor:
        """Draw pictures of model space. Shape: [N, C, F, T] -> uint8 [N, H, W, 3]."""
        return kind_of(self.name).preview(self.from_model(picture))


def _archive_scales(archive: Archive) -> Scales:
    """Take the scales that the archive's building measured; row 0's slots are real and apart where DC is packed."""
    statistics = archive.statistics
    packed = archive.representation.dc == "packed"
    return floored_scales(statistics["row_maximum_p99"], statistics["dc_maximum_p99"] if packed else None)


register(
    Cmyk.name,
    Kind(
        representation=lambda archive: archive.representation,
        scales=_archive_scales,
        preview=picture,
        # no "phase": on rectangular frames a phase rotation breaks the frames' edges
        augmentations=("polarity", "gain", "width", "swap", "pan", "shift"),
    ),
)
