# SPDX-License-Identifier: Apache-2.0
"""Interrupted builds: what is finished is kept, checked by hash, and the archive becomes what it would have been."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spect.archive.layout import Layout
from spect.archive.places import copy
from spect.cmyk import Cmyk
from spect.dataset import journal
from spect.dataset.build import Built, build, scan
from spect.dataset.labels import NONE
from spect.dataset.options import Preparation
from spect.dataset.parts import Parts, left_behind, parts_folder
from spect.dataset.pool import processes
from spect.dataset.sources import find
from spect.dataset.survey import survey
from spect.errors import SoundError

RATE = 8000
SHAPE = Cmyk(sample_rate=RATE, rows=16, frames=32)  # 1024 samples
SLICED = Preparation(SHAPE, slice=True, stride=512)
PIECES = 9


class Stopped(Exception):
    pass


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    (tmp_path / "sounds").mkdir()
    for number in range(6):  # pieces of 8 and of fewer canvases
        store(tmp_path / "sounds" / f"{number}.wav", 700 + 1900 * number, number)
    return tmp_path / "sounds"


def store(path: Path, length: int, seed: int) -> None:
    data = np.random.default_rng(seed).uniform(-0.5, 0.5, (length, 2))
    soundfile.write(path, data, RATE if seed % 2 else 11025, subtype="PCM_16")


def made(folder: Path, dest: Path, preparation: Preparation = SLICED, *, stop_after: int = 10**9, workers: int = 1,
         resume: bool = False, **options: object) -> tuple[Built, list[tuple[int, int, int]]]:  # fmt: skip
    """Build, or stop after some pieces; what was built, and what was told of the parts."""
    listing, told, left = find(folder), [], stop_after

    def progress(canvases: int) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise Stopped

    with processes(workers) as executor:
        facts = list(scan(listing.source, listing.names, executor, workers, downmix=False, trim=False))
        good = survey(facts, (), preparation).good
        built = build(listing.source, good, NONE, preparation, dest, executor=executor, workers=workers, resume=resume,
                      progress=progress, begun=lambda *counts: told.append(counts), **options)  # type: ignore[arg-type]  # fmt: skip
    return built, told


def stopped(folder: Path, dest: Path, after: int = 4, preparation: Preparation = SLICED, **options: object) -> None:
    with pytest.raises(Stopped):
        made(folder, dest, preparation, stop_after=after, **options)  # type: ignore[arg-type]


@pytest.fixture
def whole(sounds: Path, tmp_path: Path) -> bytes:
    made(sounds, tmp_path / "whole.zip")
    return (tmp_path / "whole.zip").read_bytes()


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(("first", "then"), [(1, 1), (1, 2), (2, 1)])
def test_a_continued_build_has_the_bytes_of_one_that_was_never_interrupted(
    sounds: Path, tmp_path: Path, whole: bytes, first: int, then: int, apart: bool
) -> None:
    dest = tmp_path / "a.zip"
    stopped(sounds, dest, workers=first, far=apart)
    canvases, held = left_behind(dest)
    assert canvases > 4
    assert held > 0
    assert not dest.exists()
    built, told = made(sounds, dest, resume=True, workers=then, far=apart)
    assert dest.read_bytes() == whole
    assert built.kept == canvases
    assert told == [(canvases, canvases, built.items)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "sounds", "whole.zip"]


def test_a_build_may_be_interrupted_at_every_piece(sounds: Path, tmp_path: Path, whole: bytes) -> None:
    dest, kept = tmp_path / "a.zip", []
    while True:
        try:
            built, _ = made(sounds, dest, resume=True, stop_after=len(kept) + 1)
            break
        except Stopped:
            kept.append(left_behind(dest)[0])
    assert len(kept) > PIECES
    assert kept == sorted(set(kept))
    assert dest.read_bytes() == whole
    assert built.kept == built.items == kept[-1]


def test_without_resume_a_build_begins_anew(sounds: Path, tmp_path: Path, whole: bytes) -> None:
    dest = tmp_path / "a.zip"
    stopped(sounds, dest)
    built, told = made(sounds, dest)
    assert (built.kept, told) == (0, [])
    assert dest.read_bytes() == whole
    assert not parts_folder(dest).exists()


def test_pictures_that_lost_their_hash_are_made_again(sounds: Path, tmp_path: Path, whole: bytes) -> None:
    dest, layout = tmp_path / "a.zip", Layout(16, 32)
    stopped(sounds, dest)
    canvases, _ = left_behind(dest)
    (pictures,) = parts_folder(dest).glob("*/pictures")
    with open(pictures, "r+b") as file:
        file.seek(layout.data_offset(1) + 500)
        file.write(b"x")
    built, _ = made(sounds, dest, resume=True)
    assert 0 < built.kept < canvases
    assert dest.read_bytes() == whole


@pytest.mark.parametrize("lose", ["the last line's end", "a line", "the pictures' end", "the pictures", "all"])
def test_damaged_parts_cost_work_and_no_more(sounds: Path, tmp_path: Path, whole: bytes, lose: str) -> None:
    dest = tmp_path / "a.zip"
    stopped(sounds, dest)
    lines = parts_folder(dest) / "journal.jsonl"
    (pictures,) = parts_folder(dest).glob("*/pictures")
    if lose == "the last line's end":
        os.truncate(lines, lines.stat().st_size - 5)
    elif lose == "a line":
        lines.write_bytes(b"{}\n" + lines.read_bytes())
    elif lose == "the pictures' end":
        os.truncate(pictures, 30000)
    elif lose == "the pictures":
        pictures.unlink()
    else:
        lines.unlink()
    made(sounds, dest, resume=True)
    assert dest.read_bytes() == whole
    assert not parts_folder(dest).exists()


def test_parts_of_other_options_are_not_used(sounds: Path, tmp_path: Path, whole: bytes) -> None:
    dest = tmp_path / "a.zip"
    for other in (replace(SLICED, peak_db=-3.0), replace(SLICED, representation=replace(SHAPE, rows=32, frames=16))):
        stopped(sounds, dest, preparation=other)
        canvases, _ = left_behind(dest)
        built, told = made(sounds, dest, resume=True)
        assert built.kept == 0
        assert told == [(0, canvases, built.items)]
        assert dest.read_bytes() == whole


def test_parts_of_sources_that_changed_are_not_used_and_the_others_are(sounds: Path, tmp_path: Path) -> None:
    dest = tmp_path / "a.zip"
    stopped(sounds, dest)
    times = (sounds / "1.wav").stat()
    store(sounds / "1.wav", 700 + 1900, 7)  # as long as it was, and as old
    os.utime(sounds / "1.wav", ns=(times.st_atime_ns, times.st_mtime_ns))
    canvases, _ = left_behind(dest)
    built, [(fits, there, _)] = made(sounds, dest, resume=True)
    assert there == canvases
    assert 0 < fits == built.kept < there
    made(sounds, tmp_path / "anew.zip")
    assert dest.read_bytes() == (tmp_path / "anew.zip").read_bytes()


def test_parts_of_another_version_are_not_used(sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(sounds, tmp_path / "a.zip")
    monkeypatch.setattr(journal, "_PROGRAM", (0,))
    assert made(sounds, tmp_path / "a.zip", resume=True)[0].kept == 0


def test_two_builds_of_one_archive_are_refused(sounds: Path, tmp_path: Path) -> None:
    with Parts(tmp_path / "a.zip", resume=False), pytest.raises(SoundError, match=r"another build of .* is at work"):
        made(sounds, tmp_path / "a.zip", resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sounds"]
    made(sounds, tmp_path / "a.zip")


def test_a_late_worker_of_a_killed_build_finds_its_file_gone(sounds: Path, tmp_path: Path) -> None:
    dest = tmp_path / "a.zip"
    stopped(sounds, dest)
    (before,) = parts_folder(dest).glob("*/pictures")
    with Parts(dest, resume=True) as parts:
        assert parts.pictures.exists()
        assert not before.exists()
        assert parts.pictures != before


def test_a_version_of_a_sound_is_its_size_and_times_or_its_checksum_in_a_zip(sounds: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "packed"), "zip", sounds)
    for path in (sounds, tmp_path / "packed.zip"):
        source = find(path).source
        stamps = [source.stamp(f"{number}.wav") for number in range(6)]
        assert stamps == [source.stamp(f"{number}.wav") for number in range(6)]
        assert len(set(stamps)) == 6
        source.expect("0.wav")
    find(sounds).source.expect("nothing here.wav")  # told when it is opened to be read


def test_a_copy_is_whole_by_the_system_or_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).bytes(3_000_001)
    (tmp_path / "part").write_bytes(data)
    for name in ("by_system", "in_blocks"):
        (tmp_path / name).write_bytes(b"head")
        with open(tmp_path / "part", "rb") as part, open(tmp_path / name, "r+b") as target:
            copy(part.fileno(), target.fileno(), 4)
        assert (tmp_path / name).read_bytes() == b"head" + data
        monkeypatch.delattr("os.copy_file_range", raising=False)
