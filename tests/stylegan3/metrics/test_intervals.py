# SPDX-License-Identifier: Apache-2.0
"""Intervals hold the truth about 95 % of the time, and known cases."""

import math

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.intervals import (
    bootstrap_mean,
    bootstrap_weights,
    mean_interval,
    quantile_interval,
    quantiles,
    wilson,
)


def test_wilson_is_the_published_example() -> None:
    # Newcombe 1998, table I: 81 of 263 is .2553 to .3662; 0 of 20 is 0 to .1611.
    estimate = wilson(81, 263)
    assert (estimate.low, estimate.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    nothing = wilson(0, 20)
    assert (nothing.value, nothing.low) == (0, 0)
    assert nothing.high == pytest.approx(0.1611, abs=5e-5)
    assert wilson(20, 20).high == 1


def test_wilson_of_nothing_is_nan_and_of_too_many_refused() -> None:
    assert math.isnan(wilson(0, 0).value)
    with pytest.raises(NetworkError, match="0 to the count"):
        wilson(3, 2)


@pytest.mark.parametrize(("share", "count"), [(0.5, 20), (0.05, 100)])
def test_wilson_holds_the_share_in_95_percent_of_draws(share: float, count: int) -> None:
    rng = torch.Generator().manual_seed(0)
    draws = (torch.rand(2000, count, generator=rng) < share).sum(1).tolist()
    held = sum(estimate.low <= share <= estimate.high for estimate in (wilson(hits, count) for hits in draws))
    assert 0.92 <= held / 2000 <= 0.98


def test_bootstrap_weights_draw_count_of_count() -> None:
    weights = bootstrap_weights(50, 4000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(weights.sum(1), torch.ones(4000).double())
    torch.testing.assert_close((weights * 50).round(), weights * 50)
    assert float((weights == 0).double().mean()) == pytest.approx((1 - 1 / 50) ** 50, abs=0.003)
    assert float(weights.var(0).mean() * 50**2) == pytest.approx(1 - 1 / 50, rel=0.02)


@pytest.mark.parametrize("way", ["bootstrap", "normal"])
def test_intervals_of_a_mean_hold_it_in_about_95_percent_of_draws(way: str) -> None:
    rng, held = torch.Generator().manual_seed(0), 0
    for _ in range(400):
        values = torch.randn(60, generator=rng) + 3
        estimate = bootstrap_mean(values, rng, draws=300) if way == "bootstrap" else mean_interval(values)
        held += estimate.low <= 3 <= estimate.high
    assert 0.91 <= held / 400 <= 0.98


def test_one_value_has_no_interval() -> None:
    for estimate in (bootstrap_mean(torch.ones(1), torch.Generator()), mean_interval(torch.ones(1))):
        assert estimate.value == 1
        assert math.isnan(estimate.low)
    assert math.isnan(quantile_interval(torch.zeros(0), 0.5).value)


def test_quantiles_are_torchs() -> None:
    values = torch.randn(101, generator=torch.Generator().manual_seed(0)).double()
    expected = values.quantile(torch.tensor([0.0, 0.013, 0.5, 1.0]).double())
    torch.testing.assert_close(torch.tensor(quantiles(values, (0.0, 0.013, 0.5, 1.0))).double(), expected)


def test_interval_of_a_quantile_holds_it_or_says_nothing() -> None:
    rng = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(500):
        estimate = quantile_interval(torch.rand(100, generator=rng), 0.3)
        held += estimate.low <= 0.3 <= estimate.high
    assert 0.92 <= held / 500 <= 0.985
    few = quantile_interval(torch.rand(50, generator=rng), 0.01)
    assert math.isnan(few.low)
    assert few.value <= few.high
