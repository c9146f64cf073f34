# SPDX-License-Identifier: Apache-2.0
"""Correlations of short lists: known values, honest intervals, NaN where nothing can be said."""

import math

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.correlation import pearson, spearman


def test_values_are_the_definitions() -> None:
    x, y = [1.0, 2.0, 4.0, 8.0, 3.0], [2.0, 1.0, 5.0, 6.0, 7.0]
    expected = torch.corrcoef(torch.tensor([x, y], dtype=torch.float64))[0, 1]
    assert pearson(x, y).value == pytest.approx(float(expected))
    assert spearman(x, y).value == pytest.approx(1 - 6 * (1 + 1 + 1 + 1 + 4) / (5 * 24))  # ranks 01342 and 10234


def test_equal_values_share_their_rank() -> None:
    assert spearman([1, 1, 2, 9], [5, 6, 7, 8]).value == pytest.approx(pearson([0.5, 0.5, 2, 3], [0, 1, 2, 3]).value)


def test_order_alone_matters_for_ranks() -> None:
    x = [0.1, 0.5, 2.0, 3.0, 9.0]
    assert spearman(x, [math.exp(v) for v in x]).value == pytest.approx(1)
    assert spearman(x, [-v for v in x]).value == pytest.approx(-1)


@pytest.mark.parametrize("bad", [([1, 2], [1, 2]), ([1, math.nan, 3], [1, 2, 3]), ([1, 1, 1, 1], [1, 2, 3, 4])])
def test_too_little_to_say_is_nan(bad: tuple[list[float], list[float]]) -> None:
    for found in (pearson(*bad), spearman(*bad)):
        assert math.isnan(found.value)
        assert math.isnan(found.low)


def test_three_pairs_have_a_value_and_no_interval() -> None:
    found = pearson([1, 2, 3], [1, 3, 2])
    assert found.value == pytest.approx(0.5)
    assert math.isnan(found.low)


def test_broken_pairs_are_left_out() -> None:
    x, y = [1.0, 2.0, 3.0, 4.0, math.nan], [2.0, 1.0, 4.0, 3.0, 5.0]
    assert pearson(x, y) == pearson(x[:4], y[:4])


def test_fishers_interval_is_the_published_one() -> None:
    # r = .8, n = 28: z = 1.0986 +- 1.96 / 5, so .6092 to .9034
    x = torch.randn(28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (x - x.mean()) / x.norm()
    noise = torch.randn(28, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    noise = noise - noise.mean()
    noise = noise - (noise @ x) / (x @ x) * x
    y = 0.8 * x / x.norm() + 0.6 * noise / noise.norm()
    found = pearson(x.tolist(), y.tolist())
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.6077, 0.9037), abs=2e-3)


def test_perfect_order_of_four_systems_proves_nothing_and_of_eight_does() -> None:
    few, more = spearman(range(4), range(4)), spearman(range(8), range(8))
    assert few.low < 0 < few.value == few.high == 1
    assert more.low > 0.5


@pytest.mark.parametrize("count", [6, 12, 30])
@pytest.mark.parametrize("truth", [0.0, 0.7])
def test_intervals_hold_the_correlation_of_normal_pairs(count: int, truth: float) -> None:
    rng, held = torch.Generator().manual_seed(0), [0, 0]
    ranks = 6 / math.pi * math.asin(truth / 2)  # Spearman's of a normal pair
    for _ in range(400):
        x, noise = torch.randn(2, count, generator=rng).double()
        y = truth * x + math.sqrt(1 - truth**2) * noise
        for place, (found, one) in enumerate([(pearson(x, y), truth), (spearman(x, y), ranks)]):  # type: ignore[arg-type]
            held[place] += found.low <= one <= found.high
    assert 0.92 <= held[0] / 400 <= 0.98
    assert 0.91 <= held[1] / 400 <= 0.99


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(NetworkError, match="equal lengths, got 2 and 3"):
        pearson([1, 2], [1, 2, 3])
