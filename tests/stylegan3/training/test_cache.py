# SPDX-License-Identifier: Apache-2.0
"""A dataset wholly in memory trains what it trains from its archive, and its views are computed once."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stylegan3.ops.verdicts import exact
from stylegan3.training import cache
from stylegan3.training.cache import Cached, cache_bytes
from stylegan3.training.trainer import Trainer
from stylegan3.training.transfer import ahead
from tests.stylegan3.training.support import Pictures, everything_on, trained

CPU = torch.device("cpu")
needs_a_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


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


@pytest.mark.gpu
@needs_a_card
@pytest.mark.parametrize("workers", [0, 3])
def test_a_card_that_keeps_the_dataset_gives_what_is_read(workers):
    """Threads index it, as the training's do, while the card is busy; batches of several epochs."""
    card = torch.device("cuda", torch.cuda.current_device())
    arrangement = everything_on("stylegan2")
    kept = replace(arrangement, dataset=Cached(arrangement.dataset, computed_on=card, kept_on=card))
    trainers = [Trainer(one, card) for one in (arrangement, kept)]
    stored = [trainer.batches(workers) for trainer in trainers]
    sources = [ahead(one, card) for one in stored]
    busy = torch.randn(1024, 1024, device=card)
    try:
        for _ in range(12):
            for _ in range(20):
                busy = torch.tanh(busy @ busy)
            (read, labels), (ready, same_labels) = (next(source) for source in sources)
            assert ready.device == card
            assert torch.equal(arrangement.dataset.to_model(read), ready)
            assert torch.equal(labels, same_labels)
    finally:
        for each in (*sources, *stored):
            each.close()


@pytest.mark.gpu
@needs_a_card
def test_a_training_on_a_card_is_near_the_same_with_a_cache():
    """Up to the order in which a card adds up; the first picture that is another one would be far off."""
    card = torch.device("cuda", torch.cuda.current_device())
    arrangement = everything_on("stylegan2")
    kept = replace(arrangement, dataset=Cached(arrangement.dataset, computed_on=card, kept_on=card))
    with exact():
        a, b = (trained(one, 3, Trainer(one, card)) for one in (arrangement, kept))
    ends = [torch.cat([p.flatten() for p in one.discriminator.parameters()]) for one in (a, b)]
    assert float((ends[1] - ends[0]).norm()) <= 1e-3 * float(ends[0].norm())
