# SPDX-License-Identifier: Apache-2.0
"""The Frechet distance: the closed form of Gaussians, and the bias of few items taken off."""

import math

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.frechet import frechet, frechet_infinity
from stylegan3.metrics.moments import Moments, moments


def spectrum(size: int) -> torch.Tensor:
    """1 / k, of sum 1: the one whose bias the facts state."""
    values = 1 / torch.arange(1, size + 1, dtype=torch.float64)
    return values / values.sum()


def gauss(rng: torch.Generator, count: int, size: int, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(count, size, generator=rng, dtype=torch.float64) * (scale * spectrum(size)).sqrt()


def test_distance_of_diagonal_gaussians_is_the_closed_form() -> None:
    mean, first, second = torch.tensor([1.0, -2.0, 0.0]), torch.tensor([1.0, 4.0, 9.0]), torch.tensor([4.0, 1.0, 9.0])
    x = Moments(100, torch.zeros(3).double(), torch.diag(first).double())
    y = Moments(100, mean.double(), torch.diag(second).double())
    assert frechet(x, y) == pytest.approx(5 + 1 + 1 + 0, rel=1e-12)  # |m|^2 + sum of (s1 - s2)^2


def test_distance_ignores_a_rotation_of_both_and_is_symmetric() -> None:
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 6, generator=rng).double(), 2 + torch.randn(70, 6, generator=rng).double().cumsum(1)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=rng).double()).Q
    value = frechet(moments(x), moments(y))
    assert frechet(moments(x @ turn), moments(y @ turn)) == pytest.approx(value, rel=1e-9)
    assert frechet(moments(y), moments(x)) == pytest.approx(value, rel=1e-9)


def test_equal_moments_are_0_apart_even_where_singular() -> None:
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)).double()
    flat = torch.cat([x, x[:, :1]], dim=1)
    assert abs(frechet(moments(flat), moments(flat))) < 1e-6


def test_too_few_items_are_refused_with_the_way_out() -> None:
    x = torch.randn(20, 20, generator=torch.Generator().manual_seed(0))
    many = moments(torch.randn(30, 20, generator=torch.Generator().manual_seed(1)))
    with pytest.raises(NetworkError, match=r"20 outputs .* give more than 20, or .*frechet_infinity"):
        frechet(many, moments(x))
    with pytest.raises(NetworkError, match="20 references"):
        frechet(moments(x), many)
    with pytest.raises(NetworkError, match="at least 40"):
        frechet_infinity(many, x, rng=torch.Generator())
    with pytest.raises(NetworkError, match="can't be compared"):
        frechet(many, moments(torch.eye(5)))


def test_bias_of_two_equal_draws_is_that_of_the_facts() -> None:
    rng = torch.Generator().manual_seed(0)
    for count, bias in ((1000, 8.4), (5000, 1.7)):  # unit Gaussians of 128 numbers
        x, y = (moments(torch.randn(count, 128, generator=rng)) for _ in range(2))
        assert frechet(x, y) == pytest.approx(bias, rel=0.03)


@pytest.mark.parametrize(("size", "count"), [(16, 100), (64, 60), (96, 250)])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_extrapolation_holds_the_truth_that_the_plain_distance_misses(size: int, count: int, scale: float) -> None:
    rng, truth, hits, values, plain = torch.Generator().manual_seed(1), (math.sqrt(scale) - 1) ** 2, 0, [], []
    for _ in range(6):
        reference, x = moments(gauss(rng, 500, size)), gauss(rng, count, size, scale)
        estimate = frechet_infinity(reference, x, rng=rng)
        hits += estimate.low <= truth <= estimate.high
        values.append(estimate.value)
        plain.append(frechet(reference, moments(x)) if count > size else math.inf)
    assert hits >= 5
    assert abs(sum(values) / 6 - truth) < 0.3 * (sum(plain) / 6 - truth)
    assert abs(sum(values) / 6 - truth) < 0.03


def test_extrapolation_repeats_with_the_seed() -> None:
    x = gauss(torch.Generator().manual_seed(0), 80, 8)
    reference = moments(gauss(torch.Generator().manual_seed(1), 80, 8))
    one, two = (frechet_infinity(reference, x, rng=torch.Generator().manual_seed(2)) for _ in range(2))
    assert one == two


def test_references_without_a_difference_are_refused() -> None:
    alike = moments(torch.ones(50, 3))
    with pytest.raises(NetworkError, match="all references are equal"):
        frechet_infinity(alike, torch.randn(50, 3), rng=torch.Generator().manual_seed(0))
