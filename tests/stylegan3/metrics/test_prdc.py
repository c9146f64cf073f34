# SPDX-License-Identifier: Apache-2.0
"""Precision, recall, density and coverage: the definition, known values of equal sets, and what each one sees."""

import math

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.prdc import balls, prdc


def gauss(seed: int, count: int, size: int, spread: float = 1.0) -> torch.Tensor:
    return spread * torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def modes(seed: int, count: int, kept: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return 100 * torch.nn.functional.one_hot(torch.randint(kept, (count,), generator=rng), 8) + gauss(
        seed + 99, count, 8
    )


def test_figures_are_the_definition_written_out() -> None:
    x, y, k = gauss(1, 20, 3), gauss(2, 15, 3) + 0.5, 3

    def radius(item: torch.Tensor, others: torch.Tensor) -> float:
        return sorted(math.dist(item, one) for one in others)[k]

    hits = torch.tensor([[math.dist(a, b) <= radius(a, x) for b in y] for a in x])
    back = torch.tensor([[math.dist(a, b) <= radius(b, y) for b in y] for a in x])
    result = prdc(x, y, k=k).values()
    assert result["precision"].value == pytest.approx(float(hits.any(0).double().mean()))
    assert result["recall"].value == pytest.approx(float(back.any(1).double().mean()))
    assert result["density"].value == pytest.approx(float(hits.sum()) / k / 15)
    assert result["coverage"].value == pytest.approx(float(hits.any(1).double().mean()))


@pytest.mark.parametrize(("size", "precision"), [(8, 0.945), (32, 0.79), (128, 0.65)])
def test_equal_gaussians_have_the_values_of_the_facts(size: int, precision: float) -> None:
    result = prdc(gauss(1, 2000, size), gauss(2, 2000, size))
    assert result.precision.value == pytest.approx(precision, abs=0.04)  # scatter of single draws
    assert result.recall.value == pytest.approx(precision, abs=0.04)  # scatter of single draws
    assert result.coverage.value == pytest.approx(1 - 2**-5, abs=0.012)
    assert result.density.low < 1 < result.density.high


def test_intervals_hold_what_equal_sets_have_on_average() -> None:
    found = [prdc(gauss(seed, 200, 16), gauss(seed + 500, 100, 16)).values() for seed in range(80)]
    for name in ("precision", "recall", "density", "coverage"):
        mean = sum(values[name].value for values in found) / 80
        assert sum(values[name].low <= mean <= values[name].high for values in found) >= 70


@pytest.mark.parametrize(("count", "others"), [(300, 300), (400, 100)])
def test_coverage_of_equal_sets_is_its_closed_form(count: int, others: int) -> None:
    expected = 1 - math.prod((count - i) / (count + others - i) for i in range(1, 6))
    values = [prdc(gauss(seed, count, 8), gauss(seed + 50, others, 8)).coverage.value for seed in range(8)]
    assert sum(values) / 8 == pytest.approx(expected, abs=0.025)


def test_dropped_modes_lower_recall_and_coverage_alone() -> None:
    whole, half = prdc(modes(1, 400, 8), modes(2, 400, 8)), prdc(modes(1, 400, 8), modes(2, 400, 4))
    assert half.precision.low > 0.85
    assert half.recall.high < 0.6 < 0.85 < whole.recall.low
    assert half.coverage.high < 0.6 < 0.85 < whole.coverage.low


def test_bad_outputs_lower_precision_and_density() -> None:
    clean = gauss(2, 300, 8)
    spoiled = torch.cat([clean[:150], clean[150:] + 20])
    result = prdc(gauss(1, 300, 8), spoiled)
    assert 0.4 < result.precision.value < 0.52
    assert result.density.high < 0.75


def test_one_outlier_among_the_references_inflates_precision_and_not_density() -> None:
    x = torch.cat([gauss(1, 300, 8), torch.full((1, 8), 30.0).double()])
    far = 15 + gauss(2, 300, 8)
    result = prdc(x, far)
    assert result.precision.value > 0.9
    assert result.density.value < 0.25


def test_prepared_balls_and_rows_in_parts_change_nothing() -> None:
    x, y = gauss(1, 3000, 4), gauss(2, 100, 4)  # 3 000 squared is more than one block
    assert prdc(balls(x), y) == prdc(x, y)


def test_copies_are_within_balls_of_no_width() -> None:
    x = torch.cat([torch.full((10, 3), 1e3), torch.randn(10, 3, generator=torch.Generator().manual_seed(0))])
    assert prdc(x, x.clone()).coverage.value == 1


def test_bad_arguments_are_refused_in_one_line() -> None:
    x = gauss(1, 10, 3)
    for bad, reason in [(x[:5], "at least 6"), (x[:, :2], "can't be compared"), (x / 0, "NaN")]:
        with pytest.raises(NetworkError, match=reason):
            prdc(x, bad)
    with pytest.raises(NetworkError, match="k is 1 or more"):
        prdc(x, x, k=0)
