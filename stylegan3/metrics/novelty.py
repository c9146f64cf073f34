# SPDX-License-Identifier: Apache-2.0
"""Novelty: whether outputs lie nearer to training items than new real items do, as copies would.

Given are distances to the nearest training item, of outputs and of held-out real items. They answer three questions:

    near_train      share of outputs nearer than a threshold t, the r-th smallest of H held-out distances,
                    r = max(1, floor((H + 1) / 100)): about their 1 % quantile
    near_train_real what that share is for another real item: exactly r / (H + 1), whatever the distribution, where no
                    distances are equal; 1 % from H = 99 on, more for fewer, which have no 1 % quantile
    nearer_than_real  chance that an output is nearer than a held-out item, equal ones half (the area under the ROC
                    curve, Mann and Whitney 1947): .5 when outputs are as new as new real sounds, 1 when all are nearer

A share above its twin means copies; an area far above .5 means outputs that hug the training set as a whole; far below
.5 they are far from every real item: new, or bad. Held-out items must come from other sources than the training items
(a split by source), or copies look normal.
"""

import math
from dataclasses import dataclass

import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.intervals import quantile_interval, wilson

LEVELS = (0.01, 0.05, 0.25, 0.5)


@dataclass(frozen=True)
class Novelty:
    """How near outputs are to the training set, beside held-out real items.

    Args:
        near_train, near_train_real, nearer_than_real: see the module's head; the second is known, without interval.
        threshold: the distance t.
        quantiles, real_quantiles: of the distances, by level.
        copied: outputs nearer than t, nearest first. Shape: [any].
    """

    near_train: Estimate
    near_train_real: Estimate
    nearer_than_real: Estimate
    threshold: float
    quantiles: dict[float, Estimate]
    real_quantiles: dict[float, Estimate]
    copied: torch.Tensor

    def values(self) -> dict[str, Estimate]:
        """Give the figures by name; distance_p05 is the distance that 5 % of outputs are below."""
        shares = {name: getattr(self, name) for name in ("near_train", "near_train_real", "nearer_than_real")}
        ours = {f"distance_p{round(100 * level):02}": found for level, found in self.quantiles.items()}
        real = {f"real_distance_p{round(100 * level):02}": found for level, found in self.real_quantiles.items()}
        return {**shares, **ours, **real}


def novelty(generated_to_train: torch.Tensor, heldout_to_train: torch.Tensor) -> Novelty:
    """Compare distances to the nearest training item.

    Shape: [N], [H]; at least 20 held-out items should stand behind a statement.

    Raises:
        NetworkError: no distances, or some that are none.
    """
    ours, real = _checked(generated_to_train, "outputs"), _checked(heldout_to_train, "held-out items")
    rank = max(1, (len(real) + 1) // 100)
    threshold = float(real.sort().values[rank - 1])
    order = ours.argsort(stable=True)
    copied = order[ours[order] < threshold]
    return Novelty(
        near_train=wilson(len(copied), len(ours)),
        near_train_real=Estimate(rank / (len(real) + 1)),
        nearer_than_real=chance_below(ours, real),
        threshold=threshold,
        quantiles={level: quantile_interval(ours, level) for level in LEVELS},
        real_quantiles={level: quantile_interval(real, level) for level in LEVELS},
        copied=copied,
    )


def chance_below(first: torch.Tensor, second: torch.Tensor) -> Estimate:
    """Return the chance that one of `first` is smaller than one of `second`, equal ones half.

    The interval is Wilson's of as many independent trials as have the variance that DeLong et al. 1988 give (the
    placements' variance over either count), at most the 3 N M / (N + M) of equal distributions.

    Shape: [N], [M].
    """
    above, below = _placements(first, second), 1 - _placements(second, first)
    n, m, value = len(first), len(second), float(above.mean())
    trials = 3 * n * m / (n + m)
    if n > 1 and m > 1:
        variance = float(above.var()) / n + float(below.var()) / m
        trials = min(trials, value * (1 - value) / variance) if variance > 0 else min(n, m)
    return wilson(value * trials, trials) if trials > 0 else Estimate(value)


def _placements(items: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return, of each item, the share of others that are greater, equal ones half. Shape: [N], [M] -> [N]."""
    ordered = others.sort().values
    smaller = torch.searchsorted(ordered, items, right=False)
    not_greater = torch.searchsorted(ordered, items, right=True)
    return 1 - (smaller + not_greater).double() / (2 * len(others))


def _checked(distances: torch.Tensor, name: str) -> torch.Tensor:
    if distances.ndim != 1 or distances.numel() == 0:
        raise NetworkError(f"novelty: {name} are [at least 1] distances, got {list(distances.shape)}")
    if not bool((distances >= 0).all()) or math.isinf(float(distances.max())):
        raise NetworkError(f"novelty: distances of {name} are finite and 0 or more; leave broken items out")
    return distances.detach().double()
