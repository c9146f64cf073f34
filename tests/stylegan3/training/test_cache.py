# SPDX-License-Identifier: Apache-2.0
"""A dataset wholly in memory trains what it trains from its archive, and its views are computed once."""

from dataclasses import replace

import numpy as np
import torch

from stylegan3.training import cache
from stylegan3.training.cache import Cached, cache_bytes
from tests.stylegan3.training.support import Pictures, everything_on, trained

CPU = torch.device("cpu")


def test_a_cached_dataset_is_the_dataset(monkeypatch):
    monkeypatch.setattr(cache, "AT_A_TIME", 7)
    data, told = Pictures(c_dim=3), []
    kept = Cached(data, computed_on=CPU, kept_on=CPU, advance=told.append)
    chosen = np.array([5, 0, 23, 5])
    assert torch.equal(kept.to_model(kept.pictures(chosen)), data.to_model(data.pictures(chosen)))
    assert torch.equal(kept.labels(chosen), data.labels(chosen))
    assert (len(kept), kept.shape, kept.c_dim, kept.digest) == (24, data.shape, 3, data.digest)
    assert told == [7, 7, 7, 3]
    assert cache_bytes(data) == 24 * 2 * 16 * 16 * 4


def test_the_views_are_computed_once():
    class Counted(Pictures):
        computed = 0

        def to_model(self, pictures):
            Counted.computed += len(pictures)
            return super().to_model(pictures)

    kept = Cached(Counted(), computed_on=CPU, kept_on=CPU)
    for _ in range(3):
        kept.to_model(kept.pictures(np.arange(24)))
    assert Counted.computed == 24


def test_a_training_is_the_same_with_a_cache():
    arrangement = everything_on("stylegan2")
    kept = replace(arrangement, dataset=Cached(arrangement.dataset, computed_on=CPU, kept_on=CPU))
    a, b = (trained(one, 3).state() for one in (arrangement, kept))
    assert [name for name in a if not torch.equal(a[name], b[name])] == []
