# SPDX-License-Identifier: Apache-2.0
"""Distances of sets of features: kernel distance and Fréchet distance."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from patches.scores.metrics.metric import Against, Judge
from patches.scores.metrics.of_encoders import Compare, by_encoder
from patches.scores.probes import Probe
from stylegan3.errors import NetworkError
from stylegan3.metrics import Moments, frechet, frechet_infinity, kad_estimate, kernel_reference, moments
from stylegan3.metrics.estimate import Estimate

SEED = 0  # of the intervals


@dataclass(frozen=True)
class KernelDistance:
    """KAD x 100, one row an encoder; unbiased at any number of sounds.

    Args:
        probes: of encoders.
    """

    probes: tuple[Probe, ...]
    name: str = "kad"

    def judge(self, against: Against) -> Judge:
        """Prepare the reference's kernel sums."""

        def prepare(features: Tensor) -> Compare:
            reference = kernel_reference(features, rng=torch.Generator().manual_seed(SEED))

            def compare(other: Tensor) -> tuple[Mapping[str, Estimate], tuple[str, ...]]:
                return {"kad": kad_estimate(reference, other, rng=torch.Generator().manual_seed(SEED))}, ()

            return compare

        return by_encoder(self.probes, against, prepare, "kad")


@dataclass(frozen=True)
class FrechetDistance:
    """Fréchet distance and its extrapolation to infinitely many sounds; the plain one only above d sounds.

    Args:
        probes: of encoders.
    """

    probes: tuple[Probe, ...]
    name: str = "frechet"

    def judge(self, against: Against) -> Judge:
        """Prepare the reference's moments."""

        def prepare(features: Tensor) -> Compare:
            reference = moments(features)
            return lambda other: frechet_values(reference, other)

        return by_encoder(self.probes, against, prepare, "frechet_infinity")


def frechet_values(
    reference: Moments, features: Tensor, name: str = "frechet"
) -> tuple[dict[str, Estimate], tuple[str, ...]]:
    """Give the distance at infinitely many sounds and, above d sounds, the plain one; notes say why one is missing.

    Shape: features [n, d].
    """
    ways: dict[str, Callable[[], Estimate]] = {
        f"{name}_infinity": lambda: frechet_infinity(reference, features, rng=torch.Generator().manual_seed(SEED)),
        name: lambda: Estimate(frechet(reference, moments(features))),
    }
    values, notes = {}, []
    for figure, way in ways.items():
        try:
            values[figure] = way()
        except NetworkError as error:
            values[figure] = Estimate(math.nan)
            notes.append(str(error))
    return values, tuple(notes)
