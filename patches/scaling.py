# SPDX-License-Identifier: Apache-2.0
"""Bring a canvas to about unit range and back, exactly: what lies between a representation and a network.

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError

FLOOR = 1e-4  # of the largest scale: the rounding noise of empty rows must not become full scale
# |u|^2 under which |u| counts as 0: c is linear there to 5e-9, and no derivative of the root overflows.
TINY_POWER = 1e-20
SIGMAS = 3.0
HEADROOM = 0.1  # above a row's highest value, in what becomes 1
STILL = 0.01  # of the largest deviation: rows that never move must not become full scale
SERIES_BELOW = 0.01  # both series are then right to 1e-15


class Scaling(Protocol):
    """Canvas <-> model space, batched, on any device; its numbers belong to the network and travel with it."""

    name: ClassVar[str]

    def to_model(self, canvas: Tensor) -> Tensor:
        """Scale. Shape: [..., C, F, T] -> same."""
        ...

    def from_model(self, picture: Tensor) -> Tensor:
        """Undo `to_model`. Shape: [..., C, F, T] -> same."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Give the parameters as JSON types, with "name"."""
        ...


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
        u = z / self._scale.to(z)
        return (u * self._compression(self._modulus(u))).flatten(-4, -3)

    def from_model(self, picture: Tensor) -> Tensor:
        """Expand, exactly the inverse of `to_model`. Shape: [..., C, F, T] -> same."""
        y = self._pairs(picture)
        return (y * self._expansion(self._modulus(y)) * self._scale.to(y)).flatten(-4, -3)

    @property
    def _log_range(self) -> float:
        return math.log1p(1 / self.eps)

    @property
    def _slope(self) -> float:
        return 1 / ((1 + self.eps) * self._log_range)

    @cached_property
    def _scale(self) -> Tensor:
        """Shape: [2, F, 1], Re's and Im's; [1, F, 1] for real numbers."""
        scale = torch.tensor([self.rows] * (2 if self.pairs else 1), dtype=torch.float32)[..., None]
        if self.dc is not None:
            scale[1, 0] = self.dc
        return scale

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
        curve = _log1p_over(r.clamp(max=1) / self.eps) / (self.eps * self._log_range)
        tangent = self._slope + (1 - self._slope) / r.clamp(min=1)
        return torch.where(r <= 1, curve, tangent)

    def _expansion(self, q: Tensor) -> Tensor:
        """c^-1(q) / q."""
        curve = _expm1_over(q.clamp(max=1) * self._log_range) * (self.eps * self._log_range)
        tangent = 1 / self._slope + (1 - 1 / self._slope) / q.clamp(min=1)
        return torch.where(q <= 1, curve, tangent)


@dataclass(frozen=True)
class Linear:
    """One factor for every value (Henshaw 2022's setting); kept for comparison: raw coefficients train badly.

    Args:
        factor: the value that becomes 1, the largest of the fitted scales.
    """

    factor: float
    name: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.factor) and self.factor > 0):
            raise UserError(f"linear: factor is {self.factor}; allowed: finite and > 0")
        object.__setattr__(self, "factor", float(np.float32(self.factor)))

    @classmethod
    def fit(cls, scales: Scales) -> Linear:
        """Take the largest scale."""
        return cls(max([*scales.rows, *([] if scales.dc is None else [scales.dc])]))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Linear:
        """Read `to_dict`'s form back, exactly."""
        return cls(values["factor"])

    def to_dict(self) -> dict[str, Any]:
        """Give the parameter as JSON types, exactly."""
        return {"name": self.name, "factor": self.factor}

    def to_model(self, canvas: Tensor) -> Tensor:
        """Divide. Shape: [..., C, F, T] -> same."""
        return canvas / self.factor

    def from_model(self, picture: Tensor) -> Tensor:
        """Multiply. Shape: [..., C, F, T] -> same."""
        return picture * self.factor


@dataclass(frozen=True)
class Standard:
    """Mean and deviation of the data, for logarithmic magnitudes: y = (x - mean) / (3 deviation), clipped to [-1, 1].

    Clipped in both directions: a value that never occurs is no level to decode. Neither is one far above the highest
    that occurs in its row: an untrained network's pictures would come out tens of dB over full scale.

    Args:
        mean, deviation, highest: by channel and row, C x F, row 0 first; kept as float32 values.
        sigmas: how many deviations become 1 (facts: SpecGAN's and ElectroGAN's 3).
    """

    mean: tuple[tuple[float, ...], ...]
    deviation: tuple[tuple[float, ...], ...]
    highest: tuple[tuple[float, ...], ...]
    sigmas: float = SIGMAS
    name: ClassVar[str] = "standard"

    def __post_init__(self) -> None:
        for label in ("mean", "deviation", "highest"):
            rows = tuple(tuple(float(np.float32(v)) for v in row) for row in getattr(self, label))
            object.__setattr__(self, label, rows)
        values = [v for rows in (self.mean, self.deviation, self.highest) for row in rows for v in row]
        if not all(math.isfinite(v) for v in values) or not all(v > 0 for row in self.deviation for v in row):
            raise UserError("standard: means and deviations must be finite, deviations above 0")

    @classmethod
    def fit(cls, mean: Tensor, deviation: Tensor, highest: Tensor, unit: Sequence[int] = ()) -> Standard:
        """Take the data's numbers; a row that hardly moves counts as moving a hundredth of the one that moves most.

        Args:
            unit: channels that lie in [-1, 1] by nature: they pass unchanged.

        Shape: [C, F] each.

        Raises:
            UserError: nothing moves at all: every sound is silent.
        """
        mean, deviation, highest = (values.double().clone() for values in (mean, deviation, highest))
        others = [channel for channel in range(len(mean)) if channel not in unit]
        largest = deviation[others].max()
        if not float(largest) > 0:
            raise UserError("every sound for training is silent: there is no level to scale by; choose other sounds")
        deviation = deviation.clamp_min(STILL * float(largest))
        mean[list(unit)], deviation[list(unit)], highest[list(unit)] = 0.0, 1 / SIGMAS, 1.0
        return cls(_nested(mean), _nested(deviation), _nested(highest))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Standard:
        """Read `to_dict`'s form back, exactly."""
        tables = {label: _nested(values[label]) for label in ("mean", "deviation", "highest")}
        return cls(**tables, sigmas=values["sigmas"])

    def to_dict(self) -> dict[str, Any]:
        """Give the parameters as JSON types, exactly."""
        tables = {"mean": self.mean, "deviation": self.deviation, "highest": self.highest}
        lists = {label: [list(row) for row in rows] for label, rows in tables.items()}
        return {"name": self.name, **lists, "sigmas": self.sigmas}

    def to_model(self, canvas: Tensor) -> Tensor:
        """Standardise. Shape: [..., C, F, T] -> same, in [-1, 1]."""
        mean, spread, _ = (values.to(canvas) for values in self._numbers)
        return ((canvas - mean) / spread).clamp(-1, 1)

    def from_model(self, picture: Tensor) -> Tensor:
        """Undo `to_model` on [-1, 1]; what lies beyond is taken for -1 or 1. Shape: [..., C, F, T] -> same."""
        wide = picture if picture.dtype == torch.float64 else picture.float()
        mean, spread, ceiling = (values.to(wide) for values in self._numbers)
        return torch.minimum(wide.clamp(-1, 1) * spread + mean, ceiling)

    @cached_property
    def _numbers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, the distance that becomes 1, and the highest value that comes back. Shape: [C, F, 1] each."""
        tables = (self.mean, self.deviation, self.highest)
        mean, deviation, highest = (torch.tensor(v, dtype=torch.float32)[..., None] for v in tables)
        spread = deviation * self.sigmas
        return mean, spread, highest + HEADROOM * spread


@dataclass(frozen=True)
class Unit:
    """Nothing to scale: values lie in [-1, 1] by nature, as a waveform's do."""

    name: ClassVar[str] = "unit"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Unit:
        """Read `to_dict`'s form back."""
        return cls()

    def to_dict(self) -> dict[str, Any]:
        """Give the name."""
        return {"name": self.name}

    def to_model(self, canvas: Tensor) -> Tensor:
        """Return it as it is. Shape: [..., C, F, T] -> same."""
        return canvas

    def from_model(self, picture: Tensor) -> Tensor:
        """Return it as it is. Shape: [..., C, F, T] -> same."""
        return picture


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


def _nested(values: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in row) for row in values)


def _log1p_over(x: Tensor) -> Tensor:
    """log1p(x) / x for x >= 0, smooth at 0: 1 - x/2 + x^2/3 - ..."""
    return _quotient(torch.log1p, x, [(-1) ** k / (k + 1) for k in range(7)])


def _expm1_over(x: Tensor) -> Tensor:
    """expm1(x) / x for x >= 0, smooth at 0: 1 + x/2! + x^2/3! + ..."""
    return _quotient(torch.expm1, x, [1 / math.factorial(k + 1) for k in range(7)])


def _quotient(function: Callable[[Tensor], Tensor], x: Tensor, series: Sequence[float]) -> Tensor:
    small = x < SERIES_BELOW
    near, far = torch.where(small, x, 0.0), torch.where(small, 1.0, x)
    sum_ = torch.full_like(x, series[-1])
    for coefficient in reversed(series[:-1]):
        sum_ = sum_ * near + coefficient
    return torch.where(small, sum_, function(far) / far)
