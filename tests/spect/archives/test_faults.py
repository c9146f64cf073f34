# SPDX-License-Identifier: Apache-2.0
"""Whatever bit of an archive is turned, --verify names the member; a whole one has no fault."""

from pathlib import Path

import numpy as np
import pytest

from spect.archive import layout as zip64
from spect.archive.faults import faults
from spect.archive.layout import Layout
from spect.archive.reader import Archive
from spect.archive.writer import ArchiveWriter, checksums
from spect.cmyk import Cmyk

COUNT = 5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "a.zip")
    return tmp_path / "a.zip"


def write(path: Path, *, wrong_record: int = -1, spoiled: int = -1, records: int = COUNT) -> None:
    layout = Layout(16, 16)
    data = np.random.default_rng(0).standard_normal((COUNT, 16, 16, 4)).astype(np.float32)
    if spoiled >= 0:
        data[spoiled, 3, 3, 3] = np.nan
    with ArchiveWriter(path, layout) as writer:
        done = [writer.put(index, picture) for index, picture in enumerate(data)]
        told = [digest for _, digest in done] + [checksums(layout, data[0])[1]]
        if wrong_record >= 0:
            told[wrong_record] = told[wrong_record - 1]
        items = [{"source": f"{n}.wav", "split": "train", "sha256": told[n]} for n in range(records)]
        summary = {"representation": Cmyk(rows=16, frames=16).to_dict(), "classes": [], "statistics": {}}
        writer.finish([crc for crc, _ in done], np.full(COUNT, -1), items, {**summary, "holdout_items": 0})


def found(path: Path) -> dict[str, str]:
    return {fault.member: fault.reason for fault in faults(Archive.open(path))}


def turn(path: Path, *places: int) -> None:
    content = bytearray(path.read_bytes())
    for place in places:
        content[place] ^= 1
    path.write_bytes(content)


def name(index: int) -> str:
    return zip64.item_name(index)


def test_a_whole_archive_has_none_and_progress_counts_every_picture(path: Path) -> None:
    done: list[int] = []
    assert list(faults(Archive.open(path), done.append)) == []
    assert sum(done) == COUNT


def test_every_damaged_picture_is_named_not_only_the_first(path: Path) -> None:
    layout = Layout(16, 16)
    turn(path, layout.data_offset(1) + 600, layout.data_offset(4) + layout.member_bytes - 1)
    assert found(path) == dict.fromkeys((name(1), name(4)), "its values are damaged (CRC-32)")


def test_names_headers_and_shapes_are_compared(path: Path) -> None:
    layout = Layout(16, 16)
    content = path.read_bytes()
    entry = content.rindex(name(2).encode())  # in the directory, after the one in its own header
    shape = content.index(b"16, 16", layout.data_offset(3))
    turn(path, entry + 8, layout.header_offset(1) + 32, shape)
    reasons = found(path)
    assert set(reasons) == {name(1), name(2), name(3)}
    assert "another name, size or place" in reasons[name(2)]
    assert "its own header" in reasons[name(1)]
    assert "float32 picture of 16x16x4" in reasons[name(3)]


@pytest.mark.parametrize("member", ["labels.npy", "items.jsonl"])
def test_the_tail_is_compared_too(path: Path, member: str) -> None:
    start, size = Archive.open(path).place(member)
    turn(path, start + size - 5)
    assert list(found(path)) == [member]


def test_a_picture_that_is_another_than_its_record_tells_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", wrong_record=2)
    assert found(tmp_path / "a.zip") == {name(2): "its values are others than its record tells (SHA-256)"}


def test_values_that_are_not_finite_and_surplus_records_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", spoiled=3, records=COUNT + 1)
    assert list(found(tmp_path / "a.zip")) == [name(3), "items.jsonl"]
