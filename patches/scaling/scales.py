# SPDX-License-Identifier: Apache-2.0
"""What a canvas is scaled by where its values are coefficients: the robust maximum of each frequency row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from patches.errors import UserError

FLOOR = 1e-4  # of the largest scale: the rounding noise of empty rows must not become full scale


@dataclass(frozen=True)
class Scales:
    """Robust maxima: one per row (row 0 first), and one of the DC slot where row 0 carries DC (None: it does not)."""

    rows: tuple[float, ...]
    dc: float | None


def floored_scales(rows: Sequence[float], dc: float | None) -> Scales:
    """Floor every scale at 1e-4 of the largest and round it to float32.

    Raises:
        UserError: there is nothing to scale by (all sounds silent), or a value is not a number >= 0.
    """
    values = np.array([*rows, *([] if dc is None else [dc])], dtype=np.float64)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise UserError("the archive's statistics hold values that are not finite; build the archive anew")
    if not values.size or values.max() == 0:
        raise UserError("every sound for training is silent: there is no level to scale by; choose other sounds")
    floored = np.maximum(values, FLOOR * values.max()).astype(np.float32).tolist()
    return Scales(tuple(floored[: len(rows)]), None if dc is None else floored[-1])
