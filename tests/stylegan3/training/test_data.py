# SPDX-License-Identifier: Apache-2.0
"""The order of the data: every epoch a permutation of its own, to be entered at any place."""

import threading

import numpy as np
import pytest
import torch

from stylegan3.training.data import batches, order, positions_to_items
from tests.stylegan3.training.support import Pictures


def first(
    count: int, data: Pictures, batch: int, images: int = 0, workers: int = 0, seed: int = 0
) -> list[torch.Tensor]:
    source = batches(data, batch, seed, images, workers, np.arange(batch))
    found = [next(source)[0] for _ in range(count)]
    source.close()
    return found


@pytest.mark.parametrize("items", [1, 7, 24])
def test_an_epoch_shows_every_item_once(items):
    for epoch in range(3):
        chosen = positions_to_items(np.arange(epoch * items, (epoch + 1) * items), items, seed=5)
        assert sorted(chosen) == list(range(items))


def test_epochs_and_seeds_differ():
    assert list(order(24, 0, 0)) != list(order(24, 0, 1))
    assert list(order(24, 0, 0)) != list(order(24, 1, 0))


def test_a_batch_may_span_epochs_and_be_larger_than_the_data():
    chosen = positions_to_items(np.arange(5, 25), 7, seed=0)
    whole = np.concatenate([order(7, 0, epoch) for epoch in range(4)])
    assert list(chosen) == list(whole[5:25])


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_the_data_goes_on_at_any_position_with_any_number_of_workers(workers):
    data = Pictures(items=10)
    whole = first(6, data, batch=4)
    later = first(3, data, batch=4, images=12, workers=workers)
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], later, strict=True))


def test_pictures_and_labels_belong_together():
    data = Pictures(items=10, c_dim=5)
    pictures, labels = next(batches(data, 4, 0, 0, 0, np.arange(4)))
    items = positions_to_items(np.arange(4), 10, 0)
    assert torch.equal(pictures, data.pictures(items))
    assert torch.equal(labels, data.labels(items))


def test_an_error_while_reading_ahead_reaches_the_reader_and_no_thread_stays():
    class Broken(Pictures):
        def pictures(self, indices):
            raise OSError("gone")

    source = batches(Broken(), 4, 0, 0, 2, np.arange(4))
    with pytest.raises(OSError, match="gone"):
        next(source)
    source.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("data")]
