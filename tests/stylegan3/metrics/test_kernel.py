# SPDX-License-Identifier: Apache-2.0
"""The kernel distance: unbiased, near 0 for equal distributions, growing with their difference."""

import itertools
import math

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.kernel import kad, kad_estimate, kernel_reference, median_distance


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


def coverage(truth: float, shift: float, repetitions: int = 200, **sizes: int) -> float:
    rng, hits, size = torch.Generator().manual_seed(8), 0, sizes["size"]
    for seed in range(repetitions):
        x, y = gauss(seed, sizes["n"], size), gauss(seed + 10_000, sizes["m"], size, shift=shift)
        estimate = kad_estimate(x, y, bandwidth=float(size**0.5), draws=200, rng=rng)
        hits += estimate.low <= truth <= estimate.high
    return hits / repetitions


@pytest.mark.parametrize(("n", "m", "size"), [(40, 40, 2), (60, 30, 16), (30, 30, 64)])
def test_interval_of_equal_distributions_holds_0_in_95_percent_of_draws(n: int, m: int, size: int) -> None:
    assert 0.91 <= coverage(0.0, 0.0, n=n, m=m, size=size) <= 0.985  # 95 %, 2.6 standard errors and a rough tail


@pytest.mark.parametrize("shift", [0.5, 3.0])
def test_interval_of_shifted_gaussians_holds_their_closed_form(shift: float) -> None:
    s2, d = 16.0, 16
    truth = 200 * (1 + 2 / s2) ** (-d / 2) * (1 - math.exp(-(shift**2) / (2 * s2 + 4)))
    assert 0.90 <= coverage(truth, shift, n=60, m=60, size=d) <= 0.985


def test_estimate_is_kad_within_its_interval_and_repeats_with_the_seed() -> None:
    x, y = gauss(1, 80), gauss(2, 50, shift=2)
    one, two = (kad_estimate(x, y, rng=torch.Generator().manual_seed(3)) for _ in range(2))
    assert one == two
    assert one.value == pytest.approx(kad(x, y), rel=1e-9)
    assert 0 < one.low < one.value < one.high


def test_prepared_reference_gives_the_same_figures() -> None:
    x, y = gauss(1, 80), gauss(2, 50, shift=1)
    prepared = kernel_reference(x, rng=torch.Generator().manual_seed(3))
    assert kad(prepared, y) == pytest.approx(kad(x, y), rel=1e-9)
    rng = torch.Generator().manual_seed(3)
    expected = kad_estimate(x, y, rng=rng)
    again = torch.Generator().manual_seed(3)
    assert kad_estimate(kernel_reference(x, rng=again), y, rng=again) == expected


def test_interval_narrows_with_the_count() -> None:
    def width(count: int) -> float:
        rng = torch.Generator().manual_seed(3)
        estimate = kad_estimate(gauss(1, count), gauss(2, count, shift=2), rng=rng)
        return estimate.high - estimate.low

    assert width(50) > 1.5 * width(200) > 2 * width(800)


def test_copies_of_the_references_are_below_zero_and_never_above() -> None:
    # The pairs (x_i, y_i) count as kernel 1, so that a training set that came back whole looks better than real.
    x = gauss(1, 100)
    estimate = kad_estimate(x, x.clone(), rng=torch.Generator().manual_seed(3))
    assert estimate.value < 0
    assert estimate.low < 0
