# SPDX-License-Identifier: Apache-2.0
"""Augmentations that keep a sound a sound, drawn with one probability p (ADA's; Karras et al. 2020).

They act where they mean what they say, on the canvas, also when networks live in companded space:
model space -> canvas -> transforms -> model space. Flips and turns of time or frequency are not among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from patches.augment.transform import Transform, per_item
from patches.errors import UserError
from stylegan3.training.transfer import onto

if TYPE_CHECKING:
    from patches.views.view import View


class SoundAugment:
    """The transforms of a view, applied in the view's order.

    Args:
        view: what the network sees.
        names: transforms to use, also of those that it bears on request only; None: all others.

    Raises:
        UserError: a name that this view doesn't bear.
    """

    def __init__(self, view: View, names: Sequence[str] | None = None) -> None:
        known = {transform.name: transform for transform in (*view.transforms, *view.on_request)}
        chosen = view.augmentations if names is None else tuple(names)
        for name in chosen:
            if name not in known:
                raise UserError(
                    f"augmentation: the view {view.name} does not bear {name!r}; allowed: {', '.join(known) or 'none'}"
                )
        self.view = view
        self.transforms = tuple(t for t in known.values() if t.name in chosen)

    @property
    def names(self) -> tuple[str, ...]:
        """What is applied, in order."""
        return tuple(t.name for t in self.transforms)

    def draw(self, n: int, p: float, rng: torch.Generator) -> dict[str, Tensor]:
        """Draw each transform's parameter with probability p, independently; its identity otherwise.

        The generator moves by the same amount whatever p is.

        Shape: every tensor float32 [n] on the CPU, keyed by the parameter's name.
        """
        draws = {}
        for transform in self.transforms:
            gate, place = torch.rand(2, n, generator=rng)
            drawn = transform.draw(place, self.view.shape)
            draws[transform.parameter] = torch.where(gate < p, drawn, transform.identity)
        return draws

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        """Apply, differentiably; items for which nothing was drawn come back bit for bit.

        Args:
            readable: draws lie on the CPU, and only what they change is computed; else they lie where the pictures do,
                and all is computed whatever was drawn.

        Shape: [n, C, F, T] in model space, [n] each -> [n, C, F, T].
        """
        if not self.transforms:
            return pictures
        changed = torch.stack([draws[t.parameter] != t.identity for t in self.transforms]).any(0)
        if not readable:
            canvas = self.view.from_model(pictures)
            for transform in self.transforms:
                canvas = _transformed(transform, canvas, draws[transform.parameter])
            return torch.where(per_item(changed), self.view.to_model(canvas).to(pictures.dtype), pictures)
        places = changed.nonzero().flatten()
        if not len(places):
            return pictures
        place = onto(places, pictures.device)
        canvas = self.view.from_model(pictures.index_select(0, place))
        for transform in self.transforms:
            values = draws[transform.parameter][places]
            if (values != transform.identity).any():
                canvas = _transformed(transform, canvas, onto(values, canvas.device))
        return pictures.index_copy(0, place, self.view.to_model(canvas).to(pictures.dtype))


def _transformed(transform: Transform, canvas: Tensor, values: Tensor) -> Tensor:
    """Transform the items whose value isn't the identity: what no sound encodes to, some transforms change even so."""
    return torch.where(per_item(values != transform.identity), transform(canvas, values.to(canvas.dtype)), canvas)
