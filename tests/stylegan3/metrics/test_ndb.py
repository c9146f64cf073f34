# SPDX-License-Identifier: Apache-2.0
"""Bins of the real set: equal sets differ in the share that chance allows, dropped modes are seen."""

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.ndb import Bins, bins, jensen_shannon, k_means, ndb


def modes(seed: int, count: int, kept: int = 10, size: int = 6) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    places = 20 * torch.randn(10, size, generator=torch.Generator().manual_seed(99))
    return places[torch.randint(kept, (count,), generator=rng)] + torch.randn(count, size, generator=rng)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def test_k_means_finds_separate_modes() -> None:
    places = 20 * torch.randn(10, 6, generator=torch.Generator().manual_seed(99)).double()
    centres = k_means(modes(1, 600).double(), 10, rng())
    assert float(torch.cdist(places, centres).min(1).values.max()) < 1


def test_k_means_ends_with_centres_that_are_means_of_their_items() -> None:
    x = torch.randn(200, 3, generator=rng()).double()
    centres = k_means(x, 7, rng())
    nearest = torch.cdist(x, centres).argmin(1)
    for index in range(7):
        torch.testing.assert_close(centres[index], x[nearest == index].mean(0))


@pytest.mark.parametrize("size", [2, 64])
def test_equal_distributions_differ_in_about_5_percent_of_bins(size: int) -> None:
    shares, held = [], 0
    for seed in range(12):
        draws = torch.Generator().manual_seed(seed)
        x, y = torch.randn(1000, size, generator=draws), torch.randn(1000, size, generator=draws)
        result = ndb(bins(x, rng=draws), y, rng=draws, draws=200)
        shares.append(result.different / result.bins)
        held += result.divergence.low <= 0 <= result.divergence.high
    assert 0.015 < sum(shares) / 12 < 0.085
    assert held >= 10


def test_dropped_modes_are_seen_and_named() -> None:
    found = bins(modes(1, 1200), rng=rng(), k=10)
    whole, part = (ndb(found, modes(2, 600, kept), rng=rng()) for kept in (10, 7))
    assert whole.different <= 2
    assert part.different >= 6  # three are empty, the others hold too much
    assert int((part.excess < -0.05).sum()) == 3
    assert part.divergence.low > whole.divergence.high
    assert part.values()["ndb_share"].value == part.different / 10


def test_divergence_of_bins_is_the_closed_form() -> None:
    one, half = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.5, 0.5]).double()
    assert float(jensen_shannon(one, one.flip(0))) == pytest.approx(1)
    assert float(jensen_shannon(half, half)) == 0
    assert float(jensen_shannon(one, half)) == pytest.approx(0.311278, abs=1e-6)  # H(3/4, 1/4) - 1/2


def test_z_test_turns_at_its_critical_value() -> None:
    # Bins of 50 and 50 of 100: 64 of 100 is z = 2.006, 63 of 100 is z = 1.862.
    places = Bins(torch.tensor([[0.0], [10.0]]).double(), torch.tensor([50.0, 50.0]).double())
    for count, different in ((63, 0), (64, 2)):
        items = torch.tensor([[0.0]] * count + [[10.0]] * (100 - count))
        assert ndb(places, items, rng=rng()).different == different


def test_few_references_get_fewer_bins_and_the_result_says_so() -> None:
    found = bins(modes(1, 200), rng=rng())
    assert len(found.counts) == 10
    assert float(found.counts.sum()) == 100  # the half that k-means didn't see
    result = ndb(found, modes(2, 30), rng=rng())
    assert result.notes == (
        "10 bins instead of 50: 200 references",
        "30 outputs for 10 bins: only large differences are seen",
    )
    assert bins(modes(1, 1000), rng=rng()).notes == ()


def test_bad_arguments_are_refused_in_one_line() -> None:
    found = bins(modes(1, 200), rng=rng())
    with pytest.raises(NetworkError, match="at least 40"):
        bins(modes(1, 39), rng=rng())
    with pytest.raises(NetworkError, match="2 or more bins"):
        bins(modes(1, 200), rng=rng(), k=1)
    with pytest.raises(NetworkError, match="can't be compared"):
        ndb(found, torch.ones(10, 3), rng=rng())


def test_equal_items_make_no_error() -> None:
    result = ndb(bins(torch.ones(100, 3), rng=rng()), torch.ones(50, 3), rng=rng())
    assert result.different == 0
    assert result.divergence.value == pytest.approx(0, abs=1e-12)
