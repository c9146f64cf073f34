# SPDX-License-Identifier: Apache-2.0
"""The kernel distance: unbiased, near 0 for equal distributions, growing with their difference."""

import itertools
import math

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.kernel import kad, median_distance


def gauss(seed: int, count: int, size: int = 16, shift: float = 0.0, width: float = 1.0) -> torch.Tensor:
    values = torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return width * values + shift / math.sqrt(size)


def test_value_is_the_definition_written_out() -> None:
    x, y = gauss(1, 7, 3), gauss(2, 5, 3, shift=1)
    s = median_distance(x)

    def k(a: torch.Tensor, b: torch.Tensor) -> float:
        return math.exp(-float((a - b).square().sum()) / (2 * s * s))

    expected = sum(k(a, b) for a, b in itertools.permutations(x, 2)) / 42
    expected += sum(k(a, b) for a, b in itertools.permutations(y, 2)) / 20
    expected -= 2 * sum(k(a, b) for a in x for b in y) / 35
    assert kad(x, y) == pytest.approx(100 * expected, rel=1e-10)


def test_bandwidth_is_the_median_over_pairs() -> None:
    points = torch.tensor([[0.0], [1.0], [3.0]])
    assert median_distance(points) == 2.0


def test_equal_gaussians_are_near_zero_and_without_bias_even_when_few() -> None:
    assert abs(kad(gauss(1, 800), gauss(2, 800))) < 0.1
    values = torch.tensor([kad(gauss(seed, 20), gauss(seed + 1000, 20)) for seed in range(200)])
    assert abs(float(values.mean())) < 4 * float(values.std()) / math.sqrt(200)
    assert float(values.min()) < 0


def test_distance_grows_with_shift_and_with_width() -> None:
    x = gauss(1, 400)
    shifted = [kad(x, gauss(2, 400, shift=shift)) for shift in (0, 0.5, 1, 2, 4, 8)]
    assert shifted == sorted(shifted)
    assert shifted[2] > 0.5
    wider = [kad(x, gauss(2, 400, width=width)) for width in (1, 1.3, 2, 4)]
    assert wider == sorted(wider)


def test_shifted_gaussians_match_the_closed_form() -> None:
    # For N(0, I) and N(m, I) in d dimensions: MMD^2 = 2 (1 + 2/s^2)^(-d/2) (1 - exp(-|m|^2 / (2 s^2 + 4))).
    s, d, shift = 5.0, 16, 2.0
    expected = 200 * (1 + 2 / s**2) ** (-d / 2) * (1 - math.exp(-(shift**2) / (2 * s**2 + 4)))
    assert kad(gauss(1, 3000), gauss(2, 3000, shift=shift), bandwidth=s) == pytest.approx(expected, rel=0.1)


def test_distance_ignores_order_units_and_precision() -> None:
    x, y = gauss(1, 300), gauss(2, 200, shift=1)
    value = kad(x, y)
    assert kad(x.flip(0), y.flip(0)) == pytest.approx(value, rel=1e-9)
    assert kad(1000 * x, 1000 * y) == pytest.approx(value, rel=1e-9)
    assert kad(x.float(), y.float()) == pytest.approx(value, rel=1e-4)


def test_many_rows_are_summed_in_parts() -> None:
    x, y = gauss(1, 1100, 2), gauss(2, 1030, 2, shift=1)
    s = median_distance(x)

    def mean(a: torch.Tensor, b: torch.Tensor) -> float:
        kernel = (-(a[:, None] - b[None]).square().sum(-1) / (2 * s * s)).exp()
        return float((kernel.sum() - kernel.diagonal().sum()) / (kernel.numel() - len(a)) if a is b else kernel.mean())

    assert kad(x, y) == pytest.approx(100 * (mean(x, x) + mean(y, y) - 2 * mean(x, y)), rel=1e-8)


def test_bad_features_are_refused_in_one_line() -> None:
    x = gauss(1, 10)
    for bad, reason in [
        (x[:1], "at least 2"), (x[0], "at least 2"), (x[:, :3], "can't be compared"), (x * torch.nan, "NaN"),
    ]:  # fmt: skip
        with pytest.raises(NetworkError, match=reason):
            kad(x, bad)
    with pytest.raises(NetworkError, match="bandwidth is 0"):
        kad(torch.ones(5, 3), x[:, :3])
