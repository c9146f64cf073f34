# SPDX-License-Identifier: Apache-2.0
"""Which view is learned where nobody chose one: what measured best (docs/views.md) of those that fit the archive."""

from collections.abc import Mapping

from patches.errors import UserError
from patches.views.view import kind_of, suited
from spect.errors import SoundError
from spect.representation import Representation, trainable

BEST_FIRST = (
    ("mel", "of the views that keep stereo, small networks learned it best (docs/views.md)"),
    ("instfreq", "the best of those that fit and keep stereo (docs/views.md)"),
    ("cmyk", "the archive's own picture; no better one fits"),
)
"""Views by how well a small network learned them, and why."""


def choose(stored: Representation, scaling: str | None, arguments: Mapping[str, str]) -> tuple[str, str]:
    """Choose a view for an archive's sounds; returns its name and the reason.

    Args:
        scaling: one that the view must have; None: any.
        arguments: parameters that the view must take.

    Raises:
        UserError: no view that networks can learn fits.
    """
    refused = []
    for name, reason in BEST_FIRST:
        if scaling is not None and scaling not in kind_of(name).scalings:
            refused.append(f"{name}: has no scaling {scaling}")
            continue
        try:
            _, rows, frames = suited(name, stored, arguments).shape
        except SoundError as error:
            refused.append(str(error))
            continue
        if trainable(rows, frames):
            return name, reason
        refused.append(f"{name}: {rows}x{frames} can't be learned")
    raise UserError(f"--view=auto: no view fits these sounds ({'; '.join(refused)}); choose one with --view")
