# SPDX-License-Identifier: Apache-2.0
"""Scores from a classifier's probabilities p(y | x) [N, K]: are outputs distinct and varied, and of the wanted class.

    inception score IS = exp(mean of KL(p(y|x) || mean p))             1 to K, more is better (Salimans et al. 2016)
    modified mIS = exp(mean over i != j of KL(p(y|x_i) || p(y|x_j)))   more is better (Gurumurthy et al. 2017)
    AM = KL(prior || mean p) + mean entropy of p(y|x)                  less is better (Zhou et al. 2018)
    accuracy = share of outputs whose likeliest class is the wanted one

None of them sees that a class is always the same output: quote them beside a score of diversity. Entropies are
natural. Probabilities are raised to 1e-12, which bounds mIS where a classifier is certain.

Intervals: bootstrap over the outputs, of the logarithm for IS and mIS. The mean of few outputs looks less varied than
it is: IS of N outputs is too low by up to a factor exp(-(K - 1) / 2 N), AM moves by as much. The interval has that
taken off, and is widened to hold the figure itself, which is the published definition. So compare equal N.
"""

import math
from collections.abc import Callable

import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.intervals import bootstrap_weights, error_interval, wilson

_FLOOR = 1e-12
_Statistic = Callable[[torch.Tensor], torch.Tensor]  # weights [draws, N] -> figures [draws]


def inception_score(probabilities: torch.Tensor, *, rng: torch.Generator, draws: int = 1000) -> Estimate:
    """Return exp(mean KL(p(y|x) || mean p)). Shape: [N, K]."""
    p = _checked(probabilities)
    entropies = _entropy(p)

    def logarithm(weights: torch.Tensor) -> torch.Tensor:
        return _entropy(weights @ p) - weights @ entropies

    found = _bootstrapped(logarithm, p, rng, draws)
    top = math.log(p.shape[1])
    return _exponential(Estimate(found.value, max(0.0, found.low), max(found.value, min(top, found.high))))


def modified_inception_score(probabilities: torch.Tensor, *, rng: torch.Generator, draws: int = 1000) -> Estimate:
    """Return exp(mean over pairs of KL(p(y|x_i) || p(y|x_j))), i != j. Shape: [N, K], N at least 2."""
    p = _checked(probabilities, least=2)
    entropies, logs = _entropy(p), p.log()

    def logarithm(weights: torch.Tensor) -> torch.Tensor:
        pairs = -(weights @ entropies) - ((weights @ p) * (weights @ logs)).sum(-1)
        return pairs / (1 - weights.square().sum(-1)).clamp(min=1e-300)

    return _exponential(_bootstrapped(logarithm, p, rng, draws))


def am_score(probabilities: torch.Tensor, prior: torch.Tensor, *, rng: torch.Generator, draws: int = 1000) -> Estimate:
    """Return KL(prior || mean p) + mean entropy.

    Args:
        prior: the classes' shares in the training set, or their counts.

    Shape: [N, K], [K].
    """
    p = _checked(probabilities)
    if prior.shape != p.shape[1:] or not (prior >= 0).all() or not float(prior.sum()) > 0:
        raise NetworkError(f"am_score: prior is {p.shape[1]} shares of 0 or more, got {prior.tolist()}")
    wanted, entropies = prior.to(p) / prior.sum(), _entropy(p)

    def figure(weights: torch.Tensor) -> torch.Tensor:
        return weights @ entropies - _entropy(wanted) - (weights @ p).log() @ wanted

    found = _bootstrapped(figure, p, rng, draws)
    return Estimate(found.value, max(0.0, found.low), found.high)


def accuracy(probabilities: torch.Tensor, wanted: torch.Tensor) -> Estimate:
    """Return the share of outputs whose likeliest class is the wanted one.

    Args:
        wanted: class index; -1 for none: not counted. NaN where there is no other.

    Shape: [N, K], [N].
    """
    p = _checked(probabilities)
    if wanted.shape != p.shape[:1] or not ((wanted >= -1) & (wanted < p.shape[1])).all():
        raise NetworkError(f"accuracy: wanted is {p.shape[0]} classes from -1 to {p.shape[1] - 1}")
    counted = wanted >= 0
    right = (p.argmax(1) == wanted.to(p.device)) & counted.to(p.device)
    return wilson(int(right.sum()), int(counted.sum()))


def class_scores(
    probabilities: torch.Tensor,
    *,
    prior: torch.Tensor,
    wanted: torch.Tensor | None = None,
    rng: torch.Generator,
    draws: int = 1000,
) -> dict[str, Estimate]:
    """Return all by name: inception_score, modified_inception_score, am_score, and accuracy where `wanted` is given."""
    found = {
        "inception_score": inception_score(probabilities, rng=rng, draws=draws),
        "modified_inception_score": modified_inception_score(probabilities, rng=rng, draws=draws),
        "am_score": am_score(probabilities, prior, rng=rng, draws=draws),
    }
    return found if wanted is None else {**found, "accuracy": accuracy(probabilities, wanted)}


def _checked(probabilities: torch.Tensor, least: int = 1) -> torch.Tensor:
    if probabilities.ndim != 2 or probabilities.shape[0] < least or probabilities.shape[1] < 2:
        raise NetworkError(f"probabilities are [at least {least}, 2 or more classes], got {list(probabilities.shape)}")
    p = probabilities.detach().double()
    if not bool((p >= 0).all()) or not bool(((p.sum(1) - 1).abs() < 1e-3).all()):
        raise NetworkError("probabilities of an output are 0 or more and sum to 1; apply a softmax to logits")
    p = p.clamp(min=_FLOOR)
    return p / p.sum(1, keepdim=True)


def _bootstrapped(statistic: _Statistic, p: torch.Tensor, rng: torch.Generator, draws: int) -> Estimate:
    """Return the statistic of equal weights, its interval free of bias but widened to hold it."""
    count = p.shape[0]
    value = float(statistic(p.new_full((1, count), 1 / count)))
    if count < 2:
        return Estimate(value)
    errors = statistic(bootstrap_weights(count, draws, rng).to(p.device)) - value
    found = error_interval(value, errors)
    return Estimate(value, min(value, found.low), max(value, found.high))


def _exponential(found: Estimate) -> Estimate:
    return Estimate(math.exp(found.value), math.exp(found.low), math.exp(found.high))


def _entropy(p: torch.Tensor) -> torch.Tensor:
    return -torch.xlogy(p, p).sum(-1)
