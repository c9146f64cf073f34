# SPDX-License-Identifier: Apache-2.0
"""Frechet distance of two sets of features, plain and extrapolated to infinitely many.

The squared 2-Wasserstein distance of the Gaussians that share the sets' means m and covariances C (Frechet 1957, Dowson
and Landau 1982; Heusel et al. 2017 for features):

    FD = |m1 - m2|^2 + tr C1 + tr C2 - 2 tr (S C2 S)^(1/2),  S = C1^(1/2)

S C2 S is symmetric, so its eigenvalues are real; those that rounding made negative are 0. Its square root's trace is
the sum of singular values of the centred features times S, over (N - 1)^(1/2): no covariance of few items is ever
formed.

Few items make FD too large, by about c / N + c' / M for N outputs and M references. Chong and Forsyth 2020 compute it
at several N and draw a line over 1 / N to 0. `frechet_infinity` does so with two changes. Near N = d and below, the
bias is no line over 1 / N; so it goes over the bias b(N) that Gaussians with the references' moments have, drawn and
measured by the same code; far above d that is the same line. And the references' own share is taken off too:

    FD(N) = FD + c b(N) + c b(M),  c from N and N / 2 (mean of both halves)

The interval adds Student's of a jackknife over ten groups of outputs (the references are held fixed), and a third of
what the value moves by when it comes from halves and quarters instead: the error that a next term 1 / N^2 would leave.

Measured for Gaussians (M references; means; the flat spectrum at 528 / 512 is the hardest tried):

    d, M, N, spectrum        equal: plain  FD here   of twice the variance, truth .172: plain  FD here
    16, 1000, 100, 1 / k             .044  .001 +- .036                                 .25   .175 +- .100
    128, 1000, 100, 1 / k           (.23)  .006 +- .025                               (.50)   .181 +- .065
    128, 1000, 500, 1 / k            .052  .001 +- .008                                 .24   .171 +- .023
    528, 2048, 512, 1 / k           (.14)  .003 +- .010                               (.37)   .167 +- .021
    528, 2048, 512, flat            (.36)  .011 +- .027                               (.69)   .189 +- .041
    528, 2048, 1024, flat            .198  .000 +- .007                                 .45   .172 +- .011

(In brackets: what a singular covariance would give; `frechet` refuses.) Equal sets of ten modes, or of skewed
features, at 528, 2048, 512: within .005 of the trace. So it means something from N = d on; at N = d / 2 it is .015 of
the trace too large. Heavy tails break it: of Student's t with 4 degrees, .12 of the trace remains at N = d and .03 at
N = 4 d, outside the interval. Where KAD and this distance disagree near 0, believe KAD.
"""

import math

import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.distances import checked
from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.moments import Moments

_GROUPS = 10  # of the jackknife
_T95 = 2.262157  # Student's 97.5 % quantile for _GROUPS - 1
_PARTS = (1, 2, 4)  # whole, halves, quarters
_DRAWN = 2**18  # Gaussian numbers that make a bias precise
_MOST = 4096  # references drawn at most: beyond, the bias is 1 / M
FEWEST = 4 * _GROUPS  # outputs for frechet_infinity


def frechet(reference: Moments, other: Moments) -> float:
    """Return the Frechet distance of two sets, both with more items than features have numbers.

    Raises:
        NetworkError: fewer: the covariance is singular and the distance mostly bias.
    """
    _same_size(reference, len(other.mean))
    for moment, name in ((reference, "references"), (other, "outputs")):
        if moment.count <= len(moment.mean):
            raise NetworkError(
                f"frechet: {moment.count} {name} for features of {len(moment.mean)} numbers; give more than "
                f"{len(moment.mean)}, or use the distance extrapolated to infinity (frechet_infinity) or KAD"
            )
    root = _square_root(reference.covariance)
    product = root @ other.covariance @ root
    traces = float(reference.covariance.trace() + other.covariance.trace())
    return float((reference.mean - other.mean).square().sum()) + traces - 2 * _root_trace(product)


def frechet_infinity(reference: Moments, features: torch.Tensor, *, rng: torch.Generator) -> Estimate:
    """Return the Frechet distance that infinitely many references and outputs would have; may fall below 0.

    Args:
        rng: of the order of the outputs and the Gaussian draws.

    Shape: features [N, d], N at least 40.
    """
    x = checked(features, "frechet_infinity: features", least=FEWEST)
    _same_size(reference, x.shape[1])
    if not reference.covariance.trace() > 0:
        raise NetworkError("frechet_infinity: all references are equal; give more or other references")
    x = x[torch.randperm(x.shape[0], generator=rng, device=rng.device).to(x.device)]
    distances = _Distances(reference)
    curve, rest = _bias(distances, x.shape[0], rng)
    at = [distances.of(x, parts) for parts in _PARTS]
    value, coarse = _extrapolated(at[:2], curve[:2], rest), _extrapolated(at[1:], curve[1:], rest)
    groups = torch.arange(x.shape[0], device=x.device) % _GROUPS
    fewer = [[distances.of(x[groups != group], parts) for parts in _PARTS[:2]] for group in range(_GROUPS)]
    lacking = torch.tensor([_extrapolated(pair, curve[:2], rest) for pair in fewer], dtype=torch.float64)
    error = math.sqrt((_GROUPS - 1) / _GROUPS * float((lacking - lacking.mean()).square().sum()))
    half = _T95 * error + abs(value - coarse) / 3
    return Estimate(value, value - half, value + half)


def _extrapolated(distances: list[float], biases: list[float], rest: float) -> float:
    """Draw the line through two distances over their biases, to where both sides' biases are gone."""
    many, few = distances
    slope = (few - many) / (biases[1] - biases[0])
    return many - slope * (biases[0] + rest)


def _bias(distances: "_Distances", count: int, rng: torch.Generator) -> tuple[list[float], float]:
    """Return the bias of the parts of `count` Gaussian items, and that of as many as there are references."""
    reference = distances.reference
    size = len(reference.mean)
    sets = max(1, min(64, _DRAWN // (count * size)))
    drawn = [distances.gaussian(count, rng) for _ in range(sets)]
    curve = [sum(distances.of(x, parts) for x in drawn) / sets for parts in _PARTS]
    most = min(reference.count, _MOST)
    copies = max(1, min(64, _DRAWN // (most * size)))
    rest = sum(distances.of(distances.gaussian(most, rng), 1) for _ in range(copies)) / copies
    return curve, rest * most / reference.count


class _Distances:
    """Frechet distances of many small sets to one reference, whose square root is computed once."""

    def __init__(self, reference: Moments) -> None:
        self.reference = reference
        self.trace = float(reference.covariance.trace())
        self.root = _square_root(reference.covariance)

    def gaussian(self, count: int, rng: torch.Generator) -> torch.Tensor:
        """Draw items with the reference's moments. Shape: [count, d]."""
        shape = (count, len(self.reference.mean))
        noise = torch.randn(shape, generator=rng, device=rng.device, dtype=torch.float64)
        return noise.to(self.root.device) @ self.root + self.reference.mean

    def of(self, x: torch.Tensor, parts: int) -> float:
        """Return the mean distance of some parts of equal size, with no item in two of them. Shape: [N, d]."""
        return sum(self._one(part) for part in x.split(x.shape[0] // parts)[:parts]) / parts

    def _one(self, x: torch.Tensor) -> float:
        mean, count = x.mean(0), x.shape[0]
        centred = x - mean
        projected = centred @ self.root
        gram = projected @ projected.T if count <= x.shape[1] else projected.T @ projected
        traces = self.trace + float(centred.square().sum()) / (count - 1)
        return (
            float((mean - self.reference.mean).square().sum()) + traces - 2 * _root_trace(gram) / math.sqrt(count - 1)
        )


def _same_size(reference: Moments, size: int) -> None:
    if len(reference.mean) != size:
        raise NetworkError(
            f"frechet: features of {len(reference.mean)} and {size} numbers can't be compared; "
            "take both from one encoder"
        )


def _square_root(covariance: torch.Tensor) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def _root_trace(symmetric: torch.Tensor) -> float:
    """Return the trace of the square root of a symmetric matrix, eigenvalues below 0 taken as 0."""
    return float(torch.linalg.eigvalsh((symmetric + symmetric.T) / 2).clamp(min=0).sqrt().sum())
