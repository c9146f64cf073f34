# SPDX-License-Identifier: Apache-2.0
"""What a representation without phase says about how to find one; items by a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from spect.errors import SoundError
from spect.phase.chance import random_phase

Inverse = Literal["pghi+griffin-lim", "pghi", "griffin-lim"]
INVERSES: tuple[Inverse, ...] = ("pghi+griffin-lim", "pghi", "griffin-lim")
BINS_AT_A_TIME = 2**21  # about half a gigabyte of PGHI's edges


def check_inverse(name: str, inverse: str, iterations: int, momentum: float) -> None:
    """Refuse what can't be done.

    Raises:
        SoundError: an unknown inverse, or a negative number.
    """
    if inverse not in INVERSES:
        raise SoundError(f"{name}: inverse is one of {', '.join(INVERSES)}, got {inverse!r}")
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 0:
        raise SoundError(f"{name}: iterations is a whole number from 0 up, got {iterations!r}")
    if not 0 <= momentum < 2:
        raise SoundError(f"{name}: momentum is a number from 0 to 2, got {momentum!r}")


def by_items(find: Callable[[Tensor, Tensor], Tensor], known: Tensor, seeds: Sequence[int] | None, name: str) -> Tensor:
    """Call `find` with a few items and their phases of chance at a time.

    Args:
        find: known [n, C, T, K], chance [n, T, K] -> [n, ...].
        known: what is known of the spectra.
        seeds: one an item; None: 0 for each.
        name: of the representation, for the message.

    Shape: [N, C, T, K] -> [N, ...]; N > 0.

    Raises:
        SoundError: another number of seeds than of items.
    """
    count, _, *plane = known.shape
    chosen = [0] * count if seeds is None else list(seeds)
    if len(chosen) != count:
        raise SoundError(f"{name}: {count} canvases need {count} seeds, got {len(chosen)}")
    size = max(1, BINS_AT_A_TIME // known[0].numel())
    found = [
        find(known[at : at + size], random_phase(chosen[at : at + size], tuple(plane)).to(known.device))
        for at in range(0, count, size)
    ]
    return torch.cat(found)
