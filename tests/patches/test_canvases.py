# SPDX-License-Identifier: Apache-2.0
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from patches.canvases import Canvases
from patches.errors import UserError
from patches.views import View
from spect.archive.layout import Layout
from spect.archive.reader import Archive
from spect.archive.sets import LabelSet
from spect.archive.writer import ArchiveWriter
from spect.cmyk import Cmyk, to_file_layout

SHAPE = (4, 16, 8)


class FakeArchive(SimpleNamespace):
    """What Canvases asks of spect.archive.reader.Archive; item i holds the value i."""

    path = "sounds.zip"
    digest = "0" * 64
    representation = Cmyk(sample_rate=8000, rows=16, frames=8)
    statistics = {"row_maximum_p99": [2.0] * 16, "dc_maximum_p99": 4.0}  # noqa: RUF012

    def canvases(self, indices: np.ndarray) -> np.ndarray:
        return np.stack([np.full(SHAPE, i, np.float32) for i in indices]) if len(indices) else np.zeros((0, *SHAPE))

    @property
    def label_sets(self) -> tuple[LabelSet, ...]:
        return (LabelSet("class", "classes", self.classes),) if self.classes else ()

    def label_values(self, name: str) -> np.ndarray:
        return self.labels


def fake(classes: tuple[str, ...] = ("hat", "kick", "snare")) -> FakeArchive:
    labels = np.array([0, 1, 2, -1, 1], np.int64) if classes else np.full(5, -1, np.int64)
    return FakeArchive(classes=classes, labels=labels, train=np.array([0, 2, 3, 4]), holdout=np.array([1]))


def test_training_reads_the_train_split_alone():
    archive = fake()
    data = Canvases(archive, View.fit(archive))
    assert len(data) == 4
    seen = data.pictures(np.arange(4))
    assert seen.shape == (4, *SHAPE)
    assert seen.dtype == torch.float32
    assert seen[:, 0, 0, 0].tolist() == [0, 2, 3, 4]  # 1 is held out


def test_pictures_are_as_stored_and_scaled_on_request():
    archive = fake()
    view = View.fit(archive)
    data = Canvases(archive, view, np.array([4]))
    stored = data.pictures(np.array([0, 0]))
    assert stored.unique().tolist() == [4]
    assert data.to_model(stored).equal(view.to_model(stored))
    assert data.shape == SHAPE


def test_labels_are_one_hot_and_nothing_where_an_item_has_none():
    archive = fake()
    data = Canvases(archive, View.fit(archive), conditional=True)
    assert data.c_dim == 3
    expected = [[1.0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert data.labels(np.arange(4)).tolist() == expected


def test_without_conditions_labels_have_no_width():
    archive = fake()
    data = Canvases(archive, View.fit(archive))
    assert data.c_dim == 0
    assert data.labels(np.array([1, 2])).shape == (2, 0)


def test_labels_asked_for_and_absent_are_refused():
    archive = fake(classes=())
    with pytest.raises(UserError, match=r"--cond: sounds\.zip has no labels"):
        Canvases(archive, View.fit(archive), conditional=True)


def test_no_items_are_refused():
    archive = fake()
    with pytest.raises(UserError, match="no items to train on"):
        Canvases(archive, View.fit(archive), np.array([], np.int64))


def test_it_pickles_for_workers():
    archive = fake()
    data = pickle.loads(pickle.dumps(Canvases(archive, View.fit(archive))))
    assert data.pictures(np.array([1]))[0, 0, 0, 0] == 2


def test_threads_read_what_one_reads():
    archive = fake()
    data = Canvases(archive, View.fit(archive))
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda i: data.pictures(np.array([i % 4])), range(32)))
    assert all(picture.equal(data.pictures(np.array([i % 4]))) for i, picture in enumerate(read))


def test_sounds_come_back_from_an_archive_on_disk(tmp_path):
    cmyk = Cmyk(sample_rate=8000, rows=16, frames=8)
    sounds = torch.rand(6, 2, cmyk.samples, generator=torch.Generator().manual_seed(0)) - 0.3
    path = tmp_path / "noises.zip"
    write_archive(path, cmyk, sounds)
    archive = Archive.open(path)
    view = View.fit(archive)
    data = Canvases(archive, view, conditional=True)
    assert len(data) == 5  # item 2 is held out
    stored = data.pictures(np.array([2, 4]))
    heard = view.sound(data.to_model(stored))
    torch.testing.assert_close(heard, sounds[[3, 5]], rtol=0, atol=1e-5)
    assert data.labels(np.array([2, 4])).tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert data.digest == archive.digest
    stored.zero_()  # a copy: the file stays as it is
    assert data.pictures(np.array([2])).any()


def write_archive(path, cmyk: Cmyk, sounds: torch.Tensor) -> None:
    """Sounds of two classes in turn, the third one held out."""
    canvases = cmyk.encode(sounds).numpy()
    summary = {
        "representation": cmyk.to_dict(),
        "classes": ["even", "odd"],
        "holdout_items": 1,
        "statistics": {"row_maximum_p99": np.abs(canvases).max((0, 1, 3)).tolist(), "dc_maximum_p99": 9.0},
    }
    items = [{"source": f"{i}.wav", "split": "holdout" if i == 2 else "train"} for i in range(len(sounds))]
    with ArchiveWriter(path, Layout(cmyk.rows, cmyk.frames)) as writer:
        crcs = [writer.put(i, to_file_layout(canvas))[0] for i, canvas in enumerate(canvases)]
        writer.finish(crcs, np.arange(len(sounds)) % 2, items, summary)
