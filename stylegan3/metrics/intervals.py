# SPDX-License-Identifier: Apache-2.0
"""95 % intervals that all scores share: of shares, means and quantiles; and the weights of a bootstrap.

A bootstrap draw is a row of weights [N] that sums to 1 (how often each item was drawn, over N): a thousand draws of
a mean are one matrix product and no loop. Sources: Wilson 1927 (shares), Efron 1979 (bootstrap), Davison and Hinkley
1997, section 5.2 (the interval from the errors of the draws); quantiles by binomial ranks (Conover 1999, section 3.2).
"""

import math

import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.estimate import Estimate

Z95 = 1.959963984540054  # the normal distribution's 97.5 % quantile
_TAILS = (0.025, 0.975)


def wilson(successes: float, count: float) -> Estimate:
    """Return the share successes / count with Wilson's interval, which is right for few items and near 0 or 1 too.

    Both may be fractions, where items depend on each other and count for less than one each.

    Raises:
        NetworkError: a number of successes that isn't between 0 and `count`.
    """
    if not 0 <= successes <= count:
        raise NetworkError(f"wilson: successes are 0 to the count of {count}, got {successes}")
    if count == 0:
        return Estimate(math.nan)
    share, z2 = successes / count, Z95 * Z95
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return Estimate(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def bootstrap_weights(count: int, draws: int, rng: torch.Generator) -> torch.Tensor:
    """Draw `count` of `count` items with replacement, `draws` times. Shape: [draws, count], rows sum to 1; float64."""
    picks = torch.randint(count, (draws, count), generator=rng, device=rng.device)
    ones = torch.ones((), dtype=torch.float64, device=rng.device).expand(draws, count)
    return torch.zeros(draws, count, dtype=torch.float64, device=rng.device).scatter_add_(1, picks, ones) / count


def bootstrap_mean(values: torch.Tensor, rng: torch.Generator, draws: int = 1000) -> Estimate:
    """Return the mean with the interval of its bootstrap, which may be lopsided where the values are. Shape: [N]."""
    values = values.detach().double().flatten()
    if values.numel() < 2:
        return Estimate(float(values.mean()))
    means = bootstrap_weights(values.numel(), draws, rng).to(values.device) @ values
    low, high = quantiles(means, _TAILS)
    return Estimate(float(values.mean()), low, high)


def mean_interval(values: torch.Tensor) -> Estimate:
    """Return the mean with its normal interval: no draws, for many values. Shape: [N]."""
    values = values.detach().double().flatten()
    mean = float(values.mean())
    if values.numel() < 2:
        return Estimate(mean)
    half = Z95 * float(values.std()) / math.sqrt(values.numel())
    return Estimate(mean, mean - half, mean + half)


def error_interval(value: float, errors: torch.Tensor) -> Estimate:
    """Return `value` less the quantiles of the errors (draw less value) that a bootstrap shows. Shape: [draws].

    Where the draws lie above the value, as those of a divergence do, the value itself lies above the truth by as much.
    """
    low, high = quantiles(errors, _TAILS)
    return Estimate(value, value - high, value - low)


def quantile_interval(values: torch.Tensor, level: float) -> Estimate:
    """Return a quantile; its bounds are two order statistics, NaN where the sample doesn't reach far enough.

    Args:
        level: between 0 and 1.

    Shape: [N].
    """
    values = values.detach().double().flatten().sort().values
    count = values.numel()
    if count == 0:
        return Estimate(math.nan)
    half = Z95 * math.sqrt(count * level * (1 - level))
    first, last = math.floor(count * level - half), math.ceil(count * level + half)
    low = float(values[first]) if first >= 0 else math.nan
    high = float(values[last]) if last < count else math.nan
    return Estimate(quantiles(values, (level,))[0], low, high)


def quantiles(values: torch.Tensor, levels: tuple[float, ...]) -> list[float]:
    """Return quantiles by linear interpolation, of any number of values (torch.quantile takes at most 2^24)."""
    values = values.detach().double().flatten().sort().values
    places = [level * (values.numel() - 1) for level in levels]
    return [float(torch.lerp(values[math.floor(p)], values[math.ceil(p)], p - math.floor(p))) for p in places]
