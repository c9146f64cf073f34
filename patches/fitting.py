# SPDX-License-Identifier: Apache-2.0
"""Fit a view's scaling to an archive, once: on a fixed sample of its train items, kept beside it by hash.

At most 4 096 items, drawn with a fixed seed. The file is `ARCHIVE.view-NAME-KEY.json`; its key is the hash of the
archive's summary, of the representation and of the scaling's name, so that it is never taken for another's. In a folder
that can't be written it is fitted anew by every run, to the same numbers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from patches.console import progress
from patches.errors import UserError
from patches.scaling import Scales, Scaling, Standard, floored_scales, scaling_from_dict
from spect.files import whole_file
from spect.representation import Representation, convert

if TYPE_CHECKING:
    from spect.archives.opening import AnyArchive

ITEMS = 4096
VALUES_AT_A_TIME = 2**23  # of the archive's canvases
PERCENTILE = 0.99
VERSION = 2  # of the fitted numbers


@dataclass(frozen=True)
class Sample:
    """Train items of an archive in a view's representation."""

    archive: AnyArchive
    representation: Representation

    def indices(self) -> np.ndarray:
        """Give the archive's items that are looked at, sorted. Shape: int64 [n], n <= 4096."""
        train = np.asarray(self.archive.train)
        if len(train) <= ITEMS:
            return train
        return np.sort(np.random.default_rng(0).choice(train, ITEMS, replace=False))

    def canvases(self) -> Iterator[Tensor]:
        """Give their canvases, batch by batch. Shape: [n, C, F, T] each."""
        stored, indices = self.archive.representation, self.indices()
        size = max(1, VALUES_AT_A_TIME // int(np.prod(stored.shape)))
        with progress("fitting the view", len(indices), "sounds") as advance:
            for start in range(0, len(indices), size):
                chosen = indices[start : start + size]
                with torch.no_grad():
                    yield convert(torch.from_numpy(self.archive.canvases(chosen)), stored, self.representation)
                advance(len(chosen))


def cached(sample: Sample, name: str, fit: Callable[[Sample], Scaling]) -> Scaling:
    """Fit a scaling, or read what was fitted before; the archive's own representation needs no file."""
    if sample.representation == sample.archive.representation:
        return fit(sample)
    path = cache_path(sample, name)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, UserError):
        return scaling_from_dict(json.loads(path.read_text(encoding="utf-8")))
    scaling = fit(sample)
    with contextlib.suppress(OSError), whole_file(path) as file:
        file.write(json.dumps(scaling.to_dict(), sort_keys=True).encode())
    return scaling


def cache_path(sample: Sample, name: str) -> Path:
    """Name the file that holds a fitted scaling."""
    archive, representation = sample.archive, sample.representation.to_dict()
    text = json.dumps([VERSION, archive.digest, representation, name], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return archive.path.with_name(f"{archive.path.name}.view-{sample.representation.name}-{key}.json")


def row_maxima(canvases: Iterable[Tensor], modulus: Callable[[Tensor], Tensor]) -> list[float]:
    """Return each row's robust maximum: the 99th percentile over items of the item's largest modulus in that row.

    Args:
        modulus: canvases [n, C, F, T] -> moduli [n, ?, F, T].

    Shape: -> [F].
    """
    each = torch.cat([modulus(canvas).amax(dim=(1, 3)) for canvas in canvases]).double()
    return [float(value) for value in np.quantile(each.numpy(), PERCENTILE, axis=0)]


def maxima(sample: Sample, modulus: Callable[[Tensor], Tensor]) -> Scales:
    """Return the scales of a view without a packed row (companding or linear)."""
    return floored_scales(row_maxima(sample.canvases(), modulus), None)


def standard(*, per_row: bool, unit: tuple[int, ...] = ()) -> Callable[[Sample], Standard]:
    """Give the fit of `Standard`.

    Args:
        per_row: mean and deviation of each row; otherwise of each channel.
        unit: channels that lie in [-1, 1] by nature and stay as they are.
    """

    def fit(sample: Sample) -> Standard:
        count, total, square = 0, torch.zeros(1, 1), torch.zeros(1, 1)
        highest = torch.full((1, 1), -torch.inf)
        for canvas in sample.canvases():
            wide: Any = canvas.double()
            count += wide.shape[0] * wide.shape[3]
            total = total + wide.sum(dim=(0, 3))
            square = square + wide.square().sum(dim=(0, 3))
            highest = torch.maximum(highest, wide.amax(dim=(0, 3)))
        mean, power = total / count, square / count
        if not per_row:
            mean, power = (values.mean(1, keepdim=True).expand_as(values) for values in (mean, power))
        return Standard.fit(mean, (power - mean.square()).clamp_min(0).sqrt(), highest, unit)

    return fit
