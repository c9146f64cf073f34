# SPDX-License-Identifier: Apache-2.0
"""Distances of sets of features: kernel distance and Fréchet distance."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.metrics.of_encoders import features_of
from patches.scores.probes import Measured, Probe
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
        references = {
            probe: kernel_reference(features_of(against.reference, probe), rng=torch.Generator().manual_seed(SEED))
            for probe in self.probes
        }

        def judge(measured: Measured) -> list[Part]:
            rng = torch.Generator().manual_seed(SEED)
            found = [kad_estimate(ref, features_of(measured, probe), rng=rng) for probe, ref in references.items()]
            return [
                Part(probe.version, {"kad": one}, against.reference.count)
                for probe, one in zip(references, found, strict=True)
            ]

        return judge


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
        references = {probe: moments(features_of(against.reference, probe)) for probe in self.probes}

        def judge(measured: Measured) -> list[Part]:
            found = [(one, frechet_values(ref, features_of(measured, one))) for one, ref in references.items()]
            return [Part(probe.version, values, against.reference.count, notes) for probe, (values, notes) in found]

        return judge


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
