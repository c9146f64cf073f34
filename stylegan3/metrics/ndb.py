# SPDX-License-Identifier: Apache-2.0
"""Number of statistically different bins (Richardson and Weiss 2018, section 3): which parts of the real set are
missed.

The references are split into K = 50 bins by k-means; then every item goes to its nearest bin, and the share p of the
references in a bin is compared with the share q of the outputs by the two-proportion z-test,

    z = (p - q) / sqrt(s (1 - s) (1 / N + 1 / M)),  s = (N p + M q) / (N + M)

NDB is the number of bins with |z| above 1.96 (p < .05), NDB / K their share. The Jensen-Shannon divergence of the bins
(in bits, 0 to 1) is that of p and q less its bias, which a bootstrap of both shows.

K-means fits the very items that it sees, most of all in many dimensions: their shares aren't those of other items of
the same distribution. So the centres come from one half of the references and p from the other, and equal
distributions have NDB / K near .05. K is lowered to leave ten items a bin on average in that half, and the result says
so.
"""

from dataclasses import dataclass

import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.distances import checked, same_size, squared_distance_blocks
from stylegan3.metrics.estimate import Estimate
from stylegan3.metrics.intervals import Z95, bootstrap_weights, error_interval, wilson

PER_BIN = 10  # items a bin, on average: the z-test is the normal distribution's
_ROUNDS = 50  # of Lloyd's algorithm at most; it stops where no item moves


@dataclass(frozen=True)
class Bins:
    """Centres of k-means, and how many references that it didn't see lie nearest to each. Shape: [K, d], [K]."""

    centres: torch.Tensor
    counts: torch.Tensor
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ndb:
    """Bins that differ of how many, and the Jensen-Shannon divergence of all in bits.

    Args:
        excess: of each bin, the outputs' share less the references'. Shape: [K].
        notes: what lowers the worth of the figures, for a table.
    """

    different: int
    bins: int
    divergence: Estimate
    excess: torch.Tensor
    notes: tuple[str, ...] = ()

    def values(self) -> dict[str, Estimate]:
        """Give the figures by name; the interval of the share takes every bin as one trial, which is wide enough."""
        share = wilson(self.different, self.bins)
        count = Estimate(float(self.different), share.low * self.bins, share.high * self.bins)
        return {"ndb": count, "ndb_share": share, "js_bits": self.divergence}


def bins(reference: torch.Tensor, *, rng: torch.Generator, k: int = 50) -> Bins:
    """Split references into bins, once for many systems.

    Args:
        k: bins wanted; fewer where there are fewer than 2 * PER_BIN references for each.
        rng: of the halves and the first centres.

    Shape: [N, d], N at least 4 * PER_BIN.
    """
    x = checked(reference, "ndb: reference", least=4 * PER_BIN)
    if k < 2:
        raise NetworkError(f"ndb: k is 2 or more bins, got {k}")
    x = x[torch.randperm(x.shape[0], generator=rng, device=rng.device).to(x.device)]
    seen, fresh = x[: x.shape[0] // 2], x[x.shape[0] // 2 :]
    fewer = min(k, fresh.shape[0] // PER_BIN)
    notes = (f"{fewer} bins instead of {k}: {x.shape[0]} references",) if fewer < k else ()
    centres = k_means(seen, fewer, rng)
    return Bins(centres, _counts(fresh, centres), notes)


def ndb(reference: Bins, other: torch.Tensor, *, rng: torch.Generator, draws: int = 1000) -> Ndb:
    """Count the bins of which the outputs have another share than the references.

    Args:
        rng: of the bootstrap.

    Shape: other [M, d].
    """
    y = checked(other, "ndb: outputs")
    same_size(reference.centres, y, "ndb")
    counts = _counts(y, reference.centres)
    size, notes = len(counts), reference.notes
    if y.shape[0] < PER_BIN * size:
        notes = (*notes, f"{y.shape[0]} outputs for {size} bins: only large differences are seen")
    different = int((_z(reference.counts, counts).abs() > Z95).sum())
    excess = counts / counts.sum() - reference.counts / reference.counts.sum()
    return Ndb(different, size, _divergence(reference.counts, counts, rng, draws), excess, notes)


def k_means(x: torch.Tensor, k: int, rng: torch.Generator) -> torch.Tensor:
    """Return k centres by Lloyd's algorithm from a k-means++ start (Arthur and Vassilvitskii 2007).

    Shape: [N, d] -> [k, d]; a centre that lost all its items stays where it was.
    """
    centres = _spread(x, k, rng)
    before: torch.Tensor | None = None
    for _ in range(_ROUNDS):
        nearest = _nearest(x, centres)
        if before is not None and torch.equal(nearest, before):
            break
        counts = torch.bincount(nearest, minlength=k).to(x.dtype)
        sums = torch.zeros_like(centres).index_add_(0, nearest, x)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], centres)
        before = nearest
    return centres


def _spread(x: torch.Tensor, k: int, rng: torch.Generator) -> torch.Tensor:
    """Choose items, each with a chance of its squared distance to those chosen."""
    chosen = [int(torch.randint(x.shape[0], (1,), generator=rng, device=rng.device))]
    nearest = (x - x[chosen[0]]).square().sum(1)
    for _ in range(k - 1):
        chances = (nearest if float(nearest.sum()) > 0 else torch.ones_like(nearest)).to(rng.device)
        chosen.append(int(torch.multinomial(chances, 1, generator=rng)))
        nearest = torch.minimum(nearest, (x - x[chosen[-1]]).square().sum(1))
    return x[chosen]


def _nearest(x: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    return torch.cat([squares.argmin(1) for _, squares in squared_distance_blocks(x, centres)])


def _counts(x: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    return torch.bincount(_nearest(x, centres), minlength=centres.shape[0]).double()


def _z(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the z of two proportions in each bin, 0 for a bin without items. Shape: [K], [K] -> [K]."""
    n, m = first.sum(), second.sum()
    pooled = (first + second) / (n + m)
    spread = (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()
    return torch.where(spread > 0, (first / n - second / m) / spread.clamp(min=1e-300), torch.zeros_like(spread))


def _divergence(first: torch.Tensor, second: torch.Tensor, rng: torch.Generator, draws: int) -> Estimate:
    """Return the Jensen-Shannon divergence of counts less the bias that their bootstrap shows, with its interval."""
    p, q = first / first.sum(), second / second.sum()
    plain = float(jensen_shannon(p, q))
    errors = jensen_shannon(_resampled(first, rng, draws), _resampled(second, rng, draws)) - plain
    bias = float(errors.mean())
    return error_interval(plain - bias, errors - bias)


def _resampled(counts: torch.Tensor, rng: torch.Generator, draws: int) -> torch.Tensor:
    """Draw the items of the bins again. Shape: [K] -> [draws, K], rows sum to 1."""
    labels = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts.long())
    weights = bootstrap_weights(len(labels), draws, rng).to(counts.device)
    return torch.zeros(draws, len(counts)).to(counts).index_add_(1, labels, weights)


def jensen_shannon(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Return the Jensen-Shannon divergence of distributions in bits, 0 to 1. Shape: [..., K], [..., K] -> [...]."""
    middle = (p + q) / 2
    return (_entropy(middle) - (_entropy(p) + _entropy(q)) / 2) / torch.log(torch.tensor(2.0, dtype=p.dtype))


def _entropy(p: torch.Tensor) -> torch.Tensor:
    return -torch.xlogy(p, p).sum(-1)
