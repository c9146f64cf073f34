# SPDX-License-Identifier: Apache-2.0
"""Scalings are fitted to a fixed sample, once, and kept beside the archive by hash."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from patches.errors import UserError
from patches.fitting import ITEMS, Sample, cache_path, cached, row_maxima, standard
from patches.scaling import Standard
from patches.views import View
from spect.cmyk import Cmyk
from spect.lapped import Lapped

STORED = Cmyk(sample_rate=8000, rows=16, frames=16)


@dataclass
class Items:
    """What is read of an archive."""

    path: Path
    count: int = 40
    digest: str = "0123"
    read: list[int] = field(default_factory=list)
    representation: Cmyk = STORED

    @property
    def train(self) -> np.ndarray:
        return np.arange(self.count)

    def canvases(self, indices) -> np.ndarray:
        self.read += [int(i) for i in indices]
        loudness = 1 + np.arange(self.count)[np.asarray(indices)]
        noise = np.random.default_rng(0).standard_normal((self.count, *STORED.shape))[np.asarray(indices)]
        return (loudness[:, None, None, None] * noise).astype(np.float32)


@pytest.fixture
def items(tmp_path):
    return Items(tmp_path / "sounds.zip")


def test_it_is_fitted_once_for_an_archive_a_representation_and_a_scaling(items):
    first = View.fit(items, "lapped")
    assert sorted(items.read) == list(range(40))
    items.read.clear()
    assert View.fit(items, "lapped") == first
    assert items.read == []
    View.fit(items, "lapped", "linear")
    assert items.read
    items.read.clear()
    View.fit(items, "lapped", None, {"window": "kbd"})
    assert items.read
    items.read.clear()
    items.digest = "4567"
    View.fit(items, "lapped")
    assert items.read


def test_a_file_that_says_nothing_is_written_anew_and_a_folder_that_cant_be_written_is_no_obstacle(items, monkeypatch):
    first = View.fit(items, "lapped")
    (path,) = items.path.parent.glob("sounds.zip.view-lapped-*.json")
    path.write_text("{")
    assert View.fit(items, "lapped") == first
    assert path.read_text() != "{"
    items.path = items.path.parent / "nowhere" / "sounds.zip"
    assert View.fit(items, "lapped") == first


def test_the_archives_own_picture_needs_no_file(items):
    scaling = Standard(((0.0,),), ((1.0,),), ((1.0,),))
    assert cached(Sample(items, STORED), "compand", lambda sample: scaling) is scaling
    assert not cache_path(Sample(items, STORED), "compand").exists()


def test_at_most_4096_items_are_looked_at_and_always_the_same(items):
    items.count = 10 * ITEMS
    chosen = Sample(items, STORED).indices()
    assert len(np.unique(chosen)) == ITEMS
    assert (np.diff(chosen) > 0).all()
    assert (chosen == Sample(items, STORED).indices()).all()
    assert chosen[-1] > 9 * ITEMS


def test_a_rows_maximum_is_robust_against_one_item_in_a_hundred():
    canvas = torch.ones(200, 2, 3, 4)
    canvas[:, :, 1] = 2.0
    canvas[0] = 1e6
    assert row_maxima([canvas[:50], canvas[50:]], torch.abs) == [1.0, 2.0, 1.0]


def test_mean_and_deviation_are_those_of_all_canvases(items):
    sample = Sample(items, Lapped(8000, 16, 16))
    whole = torch.cat(list(sample.canvases())).double()
    by_row, by_channel = standard(per_row=True, unit=(3,))(sample), standard(per_row=False)(sample)
    torch.testing.assert_close(torch.tensor(by_row.mean)[:3], whole.mean((0, 3)).float()[:3])
    torch.testing.assert_close(torch.tensor(by_row.deviation)[:3], whole.std((0, 3), correction=0).float()[:3])
    picture = by_row.to_model(whole.clamp(-1, 1))
    torch.testing.assert_close(picture[:, 3], whole[:, 3].clamp(-1, 1))
    assert len(set(by_channel.mean[0])) == 1
    torch.testing.assert_close(torch.tensor(by_channel.deviation)[0, 0], whole[:, 0].std(correction=0).float())


def test_what_is_clipped_and_what_never_moves():
    scaling = Standard.fit(*(torch.tensor([row]) for row in ((-40.0, -90.0), (10.0, 0.0), (0.0, -90.0))))
    assert scaling.deviation == ((10.0, pytest.approx(0.1)),)
    canvas = torch.tensor([[[-40.0, -25.0, -5.0, -80.0], [-90.0] * 4]])
    picture = scaling.to_model(canvas)
    torch.testing.assert_close(picture[0, 0], torch.tensor([0.0, 0.5, 1.0, -1.0]))
    torch.testing.assert_close(scaling.from_model(picture)[0, 0], torch.tensor([-40.0, -25.0, -10.0, -70.0]))
    torch.testing.assert_close(scaling.from_model(3 * picture)[0, 0, 2], torch.tensor(-10.0))
    low = replace(scaling, highest=((-25.0, -90.0),))  # a tenth of 30 above the highest, no more
    torch.testing.assert_close(low.from_model(picture)[0, 0], torch.tensor([-40.0, -25.0, -22.0, -70.0]))
    with pytest.raises(UserError, match="every sound for training is silent"):
        Standard.fit(*torch.zeros(3, 1, 2))
