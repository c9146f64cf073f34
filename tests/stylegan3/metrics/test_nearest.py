# SPDX-License-Identifier: Apache-2.0
"""Nearest neighbours in a stream, and duplicates within a set."""

import weakref
from collections.abc import Iterator

import pytest
import torch

from stylegan3.errors import NetworkError
from stylegan3.metrics.nearest import near_duplicates, nearest, nearest_within


def gauss(seed: int, count: int, size: int = 5) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_stream_of_batches_gives_the_nearest_of_all() -> None:
    x, y = gauss(1, 40), gauss(2, 130)
    expected = torch.cdist(x.double(), y.double()).min(1)
    for sizes in ([130], [1, 0, 100, 29]):
        distance, index = nearest(x, iter(y.split(sizes)))
        torch.testing.assert_close(distance, expected.values)
        assert torch.equal(index, expected.indices)
    assert torch.equal(nearest(x, y)[1], expected.indices)


def test_batches_are_let_go() -> None:
    given: list[weakref.ref[torch.Tensor]] = []

    def stream() -> Iterator[torch.Tensor]:
        for seed in range(5):
            batch = gauss(seed, 10)
            given.append(weakref.ref(batch))
            yield batch
            assert sum(ref() is not None for ref in given) == 1

    nearest(gauss(9, 3), stream())
    assert len(given) == 5


def test_copy_is_at_distance_0_even_far_from_the_origin() -> None:
    y = 1e6 + gauss(1, 200)
    distance, index = nearest(y[[7, 150]], y)
    assert distance.tolist() == [0, 0]
    assert index.tolist() == [7, 150]


def test_nearest_within_leaves_the_item_itself_out() -> None:
    x = gauss(1, 60)
    distances = torch.cdist(x.double(), x.double()).fill_diagonal_(torch.inf)
    distance, index = nearest_within(x)
    torch.testing.assert_close(distance, distances.min(1).values)
    assert torch.equal(index, distances.argmin(1))


def test_duplicates_are_found_nearest_first() -> None:
    x = 10 * gauss(1, 50)
    x[20] = x[3]
    x[40] = x[5] + 0.01
    found = near_duplicates(x, 0.1)
    assert found.pairs.tolist() == [[3, 20], [5, 40]]
    assert float(found.distances[0]) == 0
    assert found.count == 2
    assert found.share.value == pytest.approx(4 / 50)
    assert near_duplicates(x, 0).pairs.tolist() == [[3, 20]]


def test_collapse_counts_all_pairs_and_keeps_few() -> None:
    found = near_duplicates(torch.ones(30, 4), 0.5, most=10)
    assert found.count == 435
    assert found.pairs.shape == (10, 2)
    assert found.values()["near_duplicates"].value == 1


def test_rows_in_parts_find_the_same_pairs() -> None:
    x = gauss(1, 2500, 2)  # more than one block
    expected = int((torch.pdist(x.double()) <= 0.01).sum())
    assert expected > 10
    assert near_duplicates(x, 0.01).count == expected


def test_real_threshold_calls_about_1_percent_of_an_equal_set_duplicates() -> None:
    threshold = float(nearest_within(gauss(1, 1000))[0].quantile(0.01))
    assert 0 < near_duplicates(gauss(2, 1000), threshold).share.value < 0.03


def test_bad_arguments_are_refused_in_one_line() -> None:
    x = gauss(1, 10)
    for bad, reason in [([], "nothing to compare"), (x[:, :2], "can't be compared"), (x / 0, "NaN")]:
        with pytest.raises(NetworkError, match=reason):
            nearest(x, bad)
    with pytest.raises(NetworkError, match="0 or more"):
        near_duplicates(x, -1)
    with pytest.raises(NetworkError, match="at least 2"):
        nearest_within(x[:1])
