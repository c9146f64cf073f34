# SPDX-License-Identifier: Apache-2.0
"""Picture archives in the reference's layout: what is read is what was stored, and what can't be used is named."""

import io
import json
import os
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stylegan3.errors import NetworkError
from stylegan3.pictures import PictureArchive, from_model, preview, to_model

ITEMS = 5


def pixels(index: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8)


def png(values: np.ndarray, mode: str | None = None) -> bytes:
    out = io.BytesIO()
    picture = Image.fromarray(values)
    (picture if mode is None else picture.convert(mode)).save(out, "PNG")
    return out.getvalue()


def name(index: int) -> str:
    return f"00000/img{index:08d}.png"


def write_zip(path: Path, members: dict[str, bytes], labels: Any = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr("dataset.json", json.dumps({"labels": labels}))
    return path


def rgb_members(shape: tuple[int, ...] = (16, 32, 3)) -> dict[str, bytes]:
    return {name(i): png(pixels(i, shape)) for i in range(ITEMS)}


def test_pictures_come_out_as_stored_rgb_and_not_square(tmp_path: Path) -> None:
    archive = PictureArchive(write_zip(tmp_path / "a.zip", rgb_members()))
    assert (archive.shape, archive.c_dim, len(archive)) == ((3, 16, 32), 0, ITEMS)
    read = archive.pictures(np.array([3, 0]))
    assert read.dtype == torch.float32
    np.testing.assert_array_equal(read[0].numpy(), pixels(3, (16, 32, 3)).transpose(2, 0, 1))
    np.testing.assert_array_equal(read[1].numpy(), pixels(0, (16, 32, 3)).transpose(2, 0, 1))


def test_a_folder_holds_the_same_as_a_zip(tmp_path: Path) -> None:
    members = {name(i): png(pixels(i, (16, 16))) for i in range(ITEMS)}
    zipped = PictureArchive(write_zip(tmp_path / "a.zip", members))
    for member, data in members.items():
        (tmp_path / "folder" / member).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / member).write_bytes(data)
    folder = PictureArchive(tmp_path / "folder")
    assert zipped.shape == folder.shape == (1, 16, 16)
    everything = np.arange(ITEMS)
    assert torch.equal(zipped.pictures(everything), folder.pictures(everything))


def test_mirror_doubles_the_set_with_left_right_flips(tmp_path: Path) -> None:
    archive = PictureArchive(write_zip(tmp_path / "a.zip", rgb_members(), [[name(i), i % 2] for i in range(ITEMS)]))
    doubled = PictureArchive(archive.path, mirror=True, conditional=True)
    assert len(doubled) == 2 * ITEMS
    plain, flipped = doubled.pictures(np.array([2])), doubled.pictures(np.array([2 + ITEMS]))
    assert torch.equal(plain, archive.pictures(np.array([2])))
    assert torch.equal(flipped, plain.flip(-1))
    assert torch.equal(doubled.labels(np.array([1, 1 + ITEMS])), torch.tensor([[0.0, 1.0], [0.0, 1.0]]))


def test_model_space_is_minus_one_to_one_and_back_without_loss(tmp_path: Path) -> None:
    archive = PictureArchive(write_zip(tmp_path / "a.zip", rgb_members()))
    stored = torch.arange(256, dtype=torch.float32)
    assert archive.to_model(stored)[[0, -1]].tolist() == [-1.0, 1.0]
    assert torch.equal(from_model(to_model(stored)), stored.to(torch.uint8))
    assert from_model(torch.tensor([-7.0, 7.0])).tolist() == [0, 255]


def test_preview_shows_the_pictures_grey_ones_in_three_equal_channels() -> None:
    stored = torch.from_numpy(pixels(0, (2, 1, 8, 16))).float()
    shown = preview(to_model(stored))
    assert shown.shape == (2, 8, 16, 3)
    assert shown.dtype == torch.uint8
    assert torch.equal(shown, stored.to(torch.uint8)[:, 0, :, :, None].expand(-1, -1, -1, 3))
    with pytest.raises(NetworkError, match="4, 8, 8"):
        preview(torch.zeros(1, 4, 8, 8))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([2, 0, 1, 1, 0], np.eye(3)[[2, 0, 1, 1, 0]]), ([[i, 0.5] for i in range(5)], [[i, 0.5] for i in range(5)])],
)
def test_int_labels_become_one_hot_and_lists_stay(tmp_path: Path, labels: list[Any], expected: Any) -> None:
    table = [[name(i), label] for i, label in enumerate(labels)]
    archive = PictureArchive(write_zip(tmp_path / "a.zip", rgb_members(), table), conditional=True)
    read = archive.labels(np.arange(ITEMS))
    assert read.dtype == torch.float32
    assert archive.c_dim == read.shape[1]
    np.testing.assert_array_equal(read.numpy(), np.asarray(expected, np.float32))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "has none; train without --cond"),
        ([[name(0), 1]], f"no label for {name(1)}"),
        ([[name(i), "kick"] for i in range(ITEMS)], "class numbers from 0"),
        ([[name(i), -1] for i in range(ITEMS)], "class numbers from 0"),
        ([[name(i), [0.5] * (i + 1)] for i in range(ITEMS)], "equal length"),
        ([[name(i), [1] if i else 1] for i in range(ITEMS)], "equal length"),
        ([1, 2, 3], "can't be read"),
    ],
)
def test_labels_asked_for_and_unusable_are_refused(tmp_path: Path, labels: Any, message: str) -> None:
    path = write_zip(tmp_path / "a.zip", rgb_members(), labels)
    assert PictureArchive(path).c_dim == 0
    with pytest.raises(NetworkError, match=message):
        PictureArchive(path, conditional=True)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (png(pixels(0, (16, 16, 3))), "RGB 16x16"),
        (png(pixels(0, (16, 32))), "grey 16x32"),
        (png(pixels(0, (16, 32, 4))), "RGB with alpha"),
        (png(pixels(0, (16, 32, 3)), "P"), "palette"),
        (png(pixels(0, (16, 32)).astype(np.uint16)), "16-bit"),
        (b"RIFF not a picture", "not a PNG"),
        (b"", "not a PNG"),
    ],
)
def test_the_first_picture_of_another_kind_is_named(tmp_path: Path, odd: bytes, message: str) -> None:
    members = rgb_members() | {name(3): odd}
    with pytest.raises(NetworkError, match=f"{name(3)} is .*{message}"):
        PictureArchive(write_zip(tmp_path / "a.zip", members))


def test_a_damaged_picture_is_named_when_it_is_read(tmp_path: Path) -> None:
    whole = rgb_members()
    archive = PictureArchive(write_zip(tmp_path / "a.zip", whole | {name(2): whole[name(2)][:200]}))
    with pytest.raises(NetworkError, match=name(2)):
        archive.pictures(np.array([0, 2]))


def test_what_is_no_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    (tmp_path / "empty").mkdir()
    for path, message in (("gone.zip", "does not exist"), ("text.zip", "not a zip"), ("empty", "no .png")):
        with pytest.raises(NetworkError, match=message) as caught:
            PictureArchive(tmp_path / path)
        assert "\n" not in str(caught.value)


def test_many_threads_read_the_same_as_one(tmp_path: Path) -> None:
    archive = PictureArchive(write_zip(tmp_path / "a.zip", rgb_members()))
    order = np.random.default_rng(0).integers(0, ITEMS, (40, 4))
    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(archive.pictures, order))
    assert all(torch.equal(read, archive.pictures(indices)) for read, indices in zip(many, order, strict=True))


def test_an_archive_travels_to_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = PictureArchive(write_zip(tmp_path / "a.zip", rgb_members()))
    first = archive.pictures(np.array([1]))
    assert torch.equal(pickle.loads(pickle.dumps(archive)).pictures(np.array([1])), first)
    handle = archive._files._zip
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as after a fork: the handle must not be shared
    assert torch.equal(archive.pictures(np.array([1])), first)
    assert archive._files._zip is not handle


def test_the_digest_tells_sets_apart(tmp_path: Path) -> None:
    one, same = (PictureArchive(write_zip(tmp_path / f"{n}.zip", rgb_members())).digest for n in "ab")
    other = PictureArchive(write_zip(tmp_path / "c.zip", rgb_members() | {name(0): png(pixels(9, (16, 32, 3)))})).digest
    assert one == same != other
