# SPDX-License-Identifier: Apache-2.0
"""An archive: a zip that every program reads, found by arithmetic, there as a whole or not at all."""

import contextlib
import io
import json
import pickle
import subprocess
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from spect.archive import layout as zip64
from spect.archive.layout import Layout, item_name
from spect.archive.reader import Archive
from spect.archive.tail import npy
from spect.archive.writer import ArchiveWriter, remove_stale
from spect.cmyk import Cmyk, from_file_layout
from spect.errors import SoundError

SHAPES = [(2, 2), (3, 5), (16, 16), (64, 32)]


def pictures(count: int, rows: int, frames: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((count, rows, frames, 4)).astype(np.float32)


def summary(rows: int, frames: int, **more: object) -> dict[str, object]:
    shape = Cmyk(rows=rows, frames=frames).to_dict()
    return {"representation": shape, "classes": ["a", "b"], "statistics": {"x": 1}, "holdout_items": 0, **more}


def write(path: Path, data: np.ndarray, **more: object) -> str:
    count, rows, frames, _ = data.shape
    with ArchiveWriter(path, Layout(rows, frames)) as writer:
        done = [writer.put(index, picture) for index, picture in reversed(list(enumerate(data)))][::-1]
        records = [{"source": f"{i}.wav", "sha256": digest, "split": "train"} for i, (_, digest) in enumerate(done)]
        for index in more.pop("held", ()):  # type: ignore[attr-defined]
            records[index]["split"] = "holdout"
        labels = np.arange(count) % 2
        return writer.finish([crc for crc, _ in done], labels, records, summary(rows, frames, **more))


@pytest.mark.parametrize(("rows", "frames"), SHAPES)
def test_pythons_zipfile_reads_every_member_and_numpy_every_picture(tmp_path: Path, rows: int, frames: int) -> None:
    data = pictures(5, rows, frames)
    write(tmp_path / "a.zip", data)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == [*(f"00000/spect{i:08d}.npy" for i in range(5)), "labels.npy", "items.jsonl", "dataset.json"]
        for picture, name in zip(data, names, strict=False):
            assert np.array_equal(np.load(io.BytesIO(archive.read(name)), allow_pickle=False), picture)
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.compress_type == zipfile.ZIP_STORED


@pytest.mark.parametrize(("rows", "frames"), SHAPES)
def test_members_lie_where_arithmetic_says_aligned_to_64_bytes(tmp_path: Path, rows: int, frames: int) -> None:
    write(tmp_path / "a.zip", pictures(4, rows, frames))
    content, layout = (tmp_path / "a.zip").read_bytes(), Layout(rows, frames)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        for index, info in enumerate(archive.infolist()[:4]):
            assert info.header_offset == layout.header_offset(index)
            assert content[layout.data_offset(index) :].startswith(b"\x93NUMPY")
    assert all(layout.data_offset(index) % 64 == 0 for index in range(4))
    assert all(Archive.open(tmp_path / "a.zip").raw(index).ctypes.data % 64 == 0 for index in range(4))


def test_a_member_beyond_4_gib_is_found_by_zipfile_and_by_the_reader(tmp_path: Path) -> None:
    count, layout = 4200, Layout(256, 256)  # 4.4 GB, sparse: only the last picture is written
    picture = pictures(1, 256, 256)[0]
    with ArchiveWriter(tmp_path / "big.zip", layout) as writer:
        crcs = [0] * (count - 1) + [writer.put(count - 1, picture)[0]]
        writer.finish(crcs, np.zeros(count), [{"split": "train"}] * count, summary(256, 256))
    assert (tmp_path / "big.zip").stat().st_size > 2**32
    assert np.array_equal(Archive.open(tmp_path / "big.zip").raw(count - 1), picture)
    with zipfile.ZipFile(tmp_path / "big.zip") as archive:
        assert np.array_equal(np.load(io.BytesIO(archive.read(item_name(count - 1)))), picture)


def test_the_reader_gives_pictures_canvases_labels_splits_and_records(tmp_path: Path) -> None:
    data = pictures(7, 16, 32)
    digest = write(tmp_path / "a.zip", data, held=[2, 5], holdout_items=2)
    archive = Archive.open(tmp_path / "a.zip")
    assert (len(archive), archive.digest, archive.classes, archive.statistics) == (7, digest, ("a", "b"), {"x": 1})
    assert archive.representation == Cmyk(rows=16, frames=32)
    assert archive.labels.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert (archive.train.tolist(), archive.holdout.tolist()) == ([0, 1, 3, 4, 6], [2, 5])
    assert [archive.item(i)["source"] for i in (0, 6, -1)] == ["0.wav", "6.wav", "6.wav"]
    assert np.array_equal(archive.canvases([6, 0]), np.stack([from_file_layout(data[6]), from_file_layout(data[0])]))
    assert archive.canvases([]).shape == (0, 4, 16, 32)
    for index in (7, -8):
        with pytest.raises(IndexError):
            archive.raw(index)
    with pytest.raises(ValueError, match="read-only"):
        archive.raw(0)[0] = 1
    archive.verify()


def test_threads_and_other_processes_read_the_same(tmp_path: Path) -> None:
    data = pictures(32, 16, 16)
    write(tmp_path / "a.zip", data)
    archive = Archive.open(tmp_path / "a.zip")
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(archive.raw, range(32)))
    assert all(np.array_equal(one, other) for one, other in zip(read, data, strict=True))
    assert np.array_equal(pickle.loads(pickle.dumps(archive)).raw(3), data[3])


def test_a_pickled_archive_that_was_replaced_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", pictures(2, 16, 16))
    frozen = pickle.dumps(Archive.open(tmp_path / "a.zip"))
    write(tmp_path / "a.zip", pictures(3, 16, 16))
    with pytest.raises(SoundError, match="replaced while it was in use"):
        pickle.loads(frozen)


def test_opening_many_items_parses_a_handful_of_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, layout = 100_000, Layout(2, 2)
    with ArchiveWriter(tmp_path / "a.zip", layout) as writer:
        writer.put(count - 1, np.ones((2, 2, 4), np.float32))
        records = ({"source": f"{i}.wav", "split": "train"} for i in range(count))
        writer.finish([0] * count, np.full(count, -1), records, summary(2, 2))
    parsed, read_entries = [], zip64.read_entries
    monkeypatch.setattr(zip64, "read_entries", lambda data: parsed.extend(found := read_entries(data)) or found)
    archive = Archive.open(tmp_path / "a.zip")
    assert archive.raw(count - 1).sum() == 16
    assert len(archive.labels) == len(archive.train) == count
    assert len(parsed) <= 8
    assert archive.item(77_777)["source"] == "77777.wav"


@pytest.mark.parametrize("block", [1, 7, 60, 64, 500])
def test_records_are_found_whatever_blocks_they_are_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    held = [0, 3, 4, 11]
    write(tmp_path / "a.zip", pictures(12, 2, 2), held=held, holdout_items=len(held))
    monkeypatch.setattr("spect.archive.reader.BLOCK", block)
    archive = Archive.open(tmp_path / "a.zip")
    assert archive.holdout.tolist() == held
    assert [record["source"] for record in archive.records()] == [f"{n}.wav" for n in range(12)]
    assert archive.sources(np.asarray([11, 0, 5])) == ["11.wav", "0.wav", "5.wav"]
    assert archive.item(-12)["split"] == "holdout"


@pytest.mark.parametrize("values", [np.arange(6).reshape(3, 2) / 7, np.arange(5), np.empty((0, 3)), np.empty(0, int)])
def test_arrays_are_written_as_numpy_writes_them(values: np.ndarray) -> None:
    out = io.BytesIO()
    np.save(out, values.astype("<f4" if values.dtype.kind == "f" else "<i8"), allow_pickle=False)
    assert b"".join(npy(values)) == out.getvalue()


def test_what_is_read_through_leaves_no_pages_behind(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", pictures(300, 64, 64))  # 20 MB
    archive = Archive.open(tmp_path / "a.zip")
    before, size = _pages(), (tmp_path / "a.zip").stat().st_size
    for start in range(0, size, 1 << 20):
        archive.read(start, min(start + (1 << 20), size))
    assert _pages() - before < size / 4


def _pages() -> int:
    """Bytes of files' pages that this process has."""
    rows = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(rows["RssFile"].split()[0])


def test_equal_pictures_make_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write(tmp_path / name, pictures(3, 16, 16))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def _leave_early(path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), ArchiveWriter(path, Layout(16, 16)) as writer:
        writer.put(0, pictures(1, 16, 16)[0])
        raise KeyboardInterrupt


def test_leaving_early_keeps_the_old_target_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", pictures(2, 16, 16))
    before = (tmp_path / "a.zip").read_bytes()
    _leave_early(tmp_path / "a.zip")
    assert [(file.name, file.read_bytes() == before) for file in tmp_path.iterdir()] == [("a.zip", True)]


def test_a_dead_writers_file_is_removed_and_a_living_ones_kept(tmp_path: Path) -> None:
    (tmp_path / ".a.zip.dead.tmp").write_bytes(b"half")
    (tmp_path / ".b.zip.other.tmp").write_bytes(b"of another target")
    (tmp_path / ".a.zip.live.tmp").write_bytes(b"half")
    hold = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(tmp_path / ".a.zip.live.tmp")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert remove_stale(tmp_path / "a.zip") == [tmp_path / ".a.zip.dead.tmp"]
        process.kill()
    assert sorted(file.name for file in tmp_path.iterdir()) == [".a.zip.live.tmp", ".b.zip.other.tmp"]
    assert remove_stale(tmp_path / "a.zip") == [tmp_path / ".a.zip.live.tmp"]


def test_the_disk_takes_a_large_archive_while_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, data = [], pictures(9, 16, 16)
    monkeypatch.setattr("spect.archive.writer.SYNC_BYTES", 2 * data[0].nbytes)
    monkeypatch.setattr("spect.archive.writer.os.fsync", synced.append)
    with ArchiveWriter(tmp_path / "a.zip", Layout(16, 16)) as writer:
        crcs = []
        for index, picture in enumerate(data):
            crcs.append(writer.put(index, picture)[0])
            writer.begin_sync(picture.nbytes)
        assert synced
        writer.finish(crcs, np.zeros(9), [{"split": "train"}] * 9, summary(16, 16))
    Archive.open(tmp_path / "a.zip").verify()


def test_a_picture_of_another_shape_is_refused(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "a.zip", Layout(16, 16)) as writer, pytest.raises(SoundError, match=r"\(16, 16, 4\)"):
        writer.put(0, np.zeros((16, 8, 4), np.float32))


def test_every_truncated_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", pictures(2, 4, 4))
    content = (tmp_path / "a.zip").read_bytes()
    for length in [*range(0, len(content), 61), len(content) - 1]:
        (tmp_path / "cut.zip").write_bytes(content[:length])
        with pytest.raises(SoundError) as caught:
            Archive.open(tmp_path / "cut.zip")
        assert "\n" not in str(caught.value)


def test_a_flipped_bit_is_found_by_verify(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", pictures(3, 16, 16))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[Layout(16, 16).data_offset(1) + 500] ^= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(SoundError, match=r"spect00000001\.npy is damaged"):
        Archive.open(tmp_path / "a.zip").verify()


def test_reading_needs_no_file_locks(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", pictures(2, 16, 16))
    read = "import sys; sys.modules['fcntl'] = None; from spect.archive.reader import Archive; "
    read += "print(len(Archive.open(sys.argv[1]).canvases([0, 1])))"
    command = [sys.executable, "-c", read, str(tmp_path / "a.zip")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_a_newer_version_is_refused_by_number(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", pictures(1, 16, 16), version=9)
    with pytest.raises(SoundError, match="version 9; this program reads up to 1"):
        Archive.open(tmp_path / "a.zip")


def _foreign(folder: Path, what: str) -> Path:
    path = folder / {"folder": "", "sound": "x.wav", "missing": "none.zip", "text": "x.txt"}.get(what, "x.zip")
    if what == "empty":
        path.write_bytes(b"")
    elif what in ("sound", "text"):
        path.write_bytes(b"words")
    elif what == "packed again":
        write(folder / "a.zip", pictures(2, 16, 16))
        with zipfile.ZipFile(folder / "a.zip") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
    elif what.startswith("paper"):
        with zipfile.ZipFile(path, "w") as archive:
            for index in range(2):
                with archive.open(f"00000/spect{index:08d}.npy", "w") as file:
                    np.save(file, np.zeros((32, 16, 4 if what == "paper" else 3), np.float32), allow_pickle=False)
            if what == "paper":
                archive.writestr("dataset.json", json.dumps({"labels": None}))
    elif what in ("wavs", "pictures", "neither"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr({"wavs": "a/x.wav", "pictures": "00000/img00000000.png", "neither": "x.txt"}[what], b"x")
            archive.writestr("dataset.json", json.dumps({"labels": None}))
    elif what == "locked":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", b"x")
        content = bytearray(path.read_bytes())
        for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            content[content.index(mark) + flags] |= 1  # encrypted, it says
        path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("folder", "a folder, not an archive"),
        ("sound", "a sound, not an archive"),
        ("missing", "no such file"),
        ("text", "not an archive of sounds"),
        ("empty", "an empty file"),
        ("packed again", "another program has packed again"),
        ("wavs", "a zip of sound files, not yet an archive"),
        ("pictures", "--patches=none"),
        ("paper", r"float32 pictures of 32x16x4, as the paper's own tool writes them.*build it anew.*--dc=dropped"),
        ("paper, 3 channels", "a zip without sounds in it"),
        ("neither", "a zip without sounds in it"),
        ("locked", "can't be unpacked .*encrypted"),
    ],
)
def test_what_is_no_archive_is_told_what_it_is(tmp_path: Path, what: str, said: str) -> None:
    with pytest.raises(SoundError, match=said) as caught:
        Archive.open(_foreign(tmp_path, what))
    assert "\n" not in str(caught.value)


def test_the_checksum_in_the_directory_is_that_of_the_member(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", pictures(1, 16, 16))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        info = archive.infolist()[0]
        assert zlib.crc32(archive.read(info.filename)) == info.CRC
