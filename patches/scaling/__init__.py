# SPDX-License-Identifier: Apache-2.0
"""Bring a canvas to about unit range and back: what lies between a representation and a network; one a module."""

from collections.abc import Mapping
from typing import Any

from patches.errors import UserError
from patches.scaling.compand import Compand
from patches.scaling.linear import Linear
from patches.scaling.scales import Scales, floored_scales
from patches.scaling.scaling import Scaling
from patches.scaling.standard import Standard
from patches.scaling.unit import Unit

__all__ = [
    "SCALINGS",
    "Compand",
    "Linear",
    "Scales",
    "Scaling",
    "Standard",
    "Unit",
    "floored_scales",
    "scaling_from_dict",
]

SCALINGS: dict[str, type[Compand] | type[Linear] | type[Standard] | type[Unit]] = {
    kind.name: kind for kind in (Compand, Linear, Standard, Unit)
}


def scaling_from_dict(values: Mapping[str, Any]) -> Scaling:
    """Read any scaling's `to_dict` form.

    Raises:
        UserError: of a name that this version doesn't know.
    """
    if values.get("name") not in SCALINGS:
        raise UserError(f"scaling: got {values.get('name')!r}; allowed: {', '.join(SCALINGS)}")
    return SCALINGS[values["name"]].from_dict(values)
