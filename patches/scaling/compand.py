# SPDX-License-Identifier: Apache-2.0
"""Companding: a signed logarithm on the modulus of each complex value, by frequency, exactly undone.

A canvas [..., C, F, T] holds complex values as channel pairs (Re, Im). Where DC rides in the imaginary slot of row 0
(cmyk's `packed`), that row's two slots are independent real numbers (Nyquist, DC), each scaled on its own.

    r = |z| / s_f,   K = log1p(1 / eps)
    c(r) = log1p(r / eps) / K                 for r <= 1
    c(r) = 1 + (r - 1) / ((1 + eps) K)        beyond: the tangent at 1, so that an overshoot stays an overshoot
    y = c(r) z / |z|

Acting on the modulus makes polarity, swap and phase turns isometries of model space. c is smooth at 0: c(r)/r tends to
1/(eps K), so both directions are written as z times a ratio, and the ratio near 0 as its series (the quotient's own
derivatives cancel there). Source: shared facts on companding; s_f is the row's robust maximum over the train items.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError
from patches.scaling.quotients import expm1_over, log1p_over
from patches.scaling.scales import Scales
from spect.resident import Resident

# |u|^2 under which |u| counts as 0: c is linear there to 5e-9, and no derivative of the root overflows.
TINY_POWER = 1e-20


@dataclass(frozen=True)
class Compand:
    """Per-frequency signed log on the modulus, linear beyond the fitted range.

    Args:
        rows: s_f, the modulus that becomes 1, per row, row 0 first; kept as float32 values.
        dc: the same for the imaginary slot of row 0 where that holds DC; None: row 0 is complex like the others.
        eps: where the curve turns from linear to logarithmic, relative to s_f.
        pairs: channels are complex values (Re, Im), one modulus each; otherwise real numbers, each by itself.
    """

    rows: tuple[float, ...]
    dc: float | None = None
    eps: float = 0.01
    pairs: bool = True
    name: ClassVar[str] = "compand"

    def __post_init__(self) -> None:
        numbers = [*self.rows, self.eps, *([] if self.dc is None else [self.dc])]
        if not self.rows or not all(math.isfinite(v) and v > 0 for v in numbers):
            raise UserError("compand: scales and eps must be finite and > 0, one scale a row")
        if self.dc is not None and not self.pairs:
            raise UserError("compand: a DC slot is there only where channels are complex pairs")
        object.__setattr__(self, "rows", tuple(float(np.float32(v)) for v in self.rows))
        object.__setattr__(self, "dc", None if self.dc is None else float(np.float32(self.dc)))

    @classmethod
    def fit(cls, scales: Scales, *, pairs: bool = True) -> Compand:
        """Take each row's own scale."""
        return cls(scales.rows, scales.dc, pairs=pairs)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Compand:
        """Read `to_dict`'s form back, exactly."""
        return cls(tuple(values["rows"]), values["dc"], values["eps"], values.get("pairs", True))

    def to_dict(self) -> dict[str, Any]:
        """Give the parameters as JSON types, exactly."""
        return {"name": self.name, "rows": list(self.rows), "dc": self.dc, "eps": self.eps, "pairs": self.pairs}

    def to_model(self, canvas: Tensor) -> Tensor:
        """Compress. Shape: [..., C, F, T] -> same, about unit range."""
        z = self._pairs(canvas)
        u = z / self._scale.like(z)
        return (u * self._compression(self._modulus(u))).flatten(-4, -3)

    def from_model(self, picture: Tensor) -> Tensor:
        """Expand, exactly the inverse of `to_model`. Shape: [..., C, F, T] -> same."""
        y = self._pairs(picture)
        return (y * self._expansion(self._modulus(y)) * self._scale.like(y)).flatten(-4, -3)

    @property
    def _log_range(self) -> float:
        return math.log1p(1 / self.eps)

    @property
    def _slope(self) -> float:
        return 1 / ((1 + self.eps) * self._log_range)

    @cached_property
    def _scale(self) -> Resident:
        """Shape: [2, F, 1], Re's and Im's; [1, F, 1] for real numbers."""
        scale = torch.tensor([self.rows] * (2 if self.pairs else 1), dtype=torch.float32)[..., None]
        if self.dc is not None:
            scale[1, 0] = self.dc
        return Resident(scale)

    def _pairs(self, picture: Tensor) -> Tensor:
        """Shape: [..., C, F, T] -> [..., C/2, 2, F, T], or [..., C, 1, F, T] for real numbers; float32 at least."""
        parts = 2 if self.pairs else 1
        if picture.ndim < 3 or picture.shape[-3] % parts or picture.shape[-2] != len(self.rows):
            raise UserError(
                f"compand: got a picture of shape {list(picture.shape)}; "
                f"allowed: [..., C, {len(self.rows)}, T]{' with C even' * self.pairs}"
            )
        wide = picture if picture.dtype == torch.float64 else picture.float()
        return wide.unflatten(-3, (-1, parts))

    def _modulus(self, pairs: Tensor) -> Tensor:
        """Take |Re + i Im|, in row 0 |Re| and |Im| apart where they are Nyquist and DC; derivative 0 at 0."""
        square = pairs.square()
        power = square.sum(-3, keepdim=True).expand_as(square)
        if self.dc is not None:
            power = torch.cat([square[..., :1, :], power[..., 1:, :]], dim=-2)
        tiny = power < TINY_POWER
        return torch.where(tiny, 0.0, torch.where(tiny, 1.0, power).sqrt())

    def _compression(self, r: Tensor) -> Tensor:
        """c(r) / r."""
        curve = log1p_over(r.clamp(max=1) / self.eps) / (self.eps * self._log_range)
        tangent = self._slope + (1 - self._slope) / r.clamp(min=1)
        return torch.where(r <= 1, curve, tangent)

    def _expansion(self, q: Tensor) -> Tensor:
        """c^-1(q) / q."""
        curve = expm1_over(q.clamp(max=1) * self._log_range) * (self.eps * self._log_range)
        tangent = 1 / self._slope + (1 - 1 / self._slope) / q.clamp(min=1)
        return torch.where(q <= 1, curve, tangent)
