# SPDX-License-Identifier: Apache-2.0
"""Recordings through listening, planning and building: every canvas begins on a beat, whatever the file."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from spect.archive.reader import Archive
from spect.audio import read
from spect.beats.options import Beats
from spect.cmyk import Cmyk
from spect.dataset.build import build, scan
from spect.dataset.labels import NONE
from spect.dataset.listen import listen, listen_all
from spect.dataset.options import Preparation
from spect.dataset.plan import CANVASES_A_PIECE, cuts_for, pieces
from spect.dataset.scan import Facts
from spect.dataset.sources import Source, find
from spect.dataset.survey import fit, propose, survey
from spect.errors import SoundError
from tests.spect.beats.music import drifting, lag, play, steady

RATE = 22050
SHAPE = Cmyk(RATE, 64, 512)  # 2.97 s
LOOPS = Preparation(SHAPE, beats=Beats(bars=1, stride_beats=4))
LATE = 0.01  # seconds
BEATS = {
    "drift.mp3": drifting(lambda time: 124 + time / 30, 0.37, 40),
    "fast.flac": steady(141, 0.2, 26),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("music")
    soundfile.write(folder / "drift.mp3", play(BEATS["drift.mp3"], 40, 44100).T, 44100)
    soundfile.write(folder / "fast.flac", play(BEATS["fast.flac"], 26, RATE)[:1].T, RATE)  # mono
    noise = np.random.default_rng(0).standard_normal((25 * RATE, 2)) * 0.1
    soundfile.write(folder / "noise.wav", noise, RATE)
    return find(folder).source


@pytest.fixture(scope="module")
def heard(source: Source) -> list[Facts]:
    names = find(source.path).names
    return list(listen_all(source, list(scan(source, names, None, 1, downmix=False, trim=False)), LOOPS, None, 1))


@pytest.fixture(scope="module")
def archive(source: Source, heard: list[Facts], tmp_path_factory: pytest.TempPathFactory) -> Archive:
    dest = tmp_path_factory.mktemp("archive") / "a.zip"
    build(source, survey(heard, (), LOOPS).good, NONE, LOOPS, dest)
    return Archive.open(dest)


def sound_of(archive: Archive, index: int) -> np.ndarray:
    return archive.representation.decode(torch.from_numpy(archive.canvases([index])))[0].numpy()


def test_every_canvas_is_a_bar_that_begins_on_a_beat(archive: Archive) -> None:
    loop = round(4 * 60 * RATE / 130)
    names = [archive.item(index)["source"] for index in range(len(archive))]
    assert {name: names.count(name) > 10 for name in BEATS} == dict.fromkeys(BEATS, True)
    for index in range(0, len(archive), 3):
        record, sound = archive.item(index), sound_of(archive, index)
        beats = BEATS[record["source"]]
        number = int(np.abs(beats - record["beat_seconds"]).argmin())
        assert abs(beats[number] - record["beat_seconds"]) < LATE
        assert (record["samples"], record["start_samples"]) == (loop, round(record["beat_seconds"] * RATE))
        assert np.abs(sound[:, loop:]).max() < 1e-4  # padded with silence
        wanted = play(steady(130, 0, 1.8), 1.8, RATE, first=number)[:, : loop - 400]
        wanted = wanted[:1].repeat(2, axis=0) if record["channels"] == 1 else wanted
        late = [lag(sound[:, : loop - 400], wanted, RATE, beat) for beat in steady(130, 0, 1.7)]
        assert abs(late[0]) < LATE
        assert np.abs(np.median(late)) < LATE / 2


def test_records_and_summary_tell_tempo_stretch_and_segment(archive: Archive) -> None:
    beats = archive.summary["preparation"]["beats"]
    assert beats == {"bpm": 130.0, "lowest": 120.0, "highest": 145.0, "stride_beats": 4, "bars": 1, "beats": 4}
    records = [archive.item(index) for index in range(len(archive))]
    drift = [record for record in records if record["source"] == "drift.mp3"]
    for record in drift:
        assert record["bpm"] == pytest.approx(124 + record["beat_seconds"] / 30 + 0.03, rel=0.005)
        assert record["stretch"] == pytest.approx(130 / record["bpm"], rel=1e-5)
        assert record["segment_seconds"][0] <= record["beat_seconds"] <= record["segment_seconds"][1]
    gaps = np.diff([record["beat_seconds"] for record in drift])
    np.testing.assert_allclose(gaps * np.asarray([r["bpm"] for r in drift[1:]]) / 60, 4, rtol=0.005)
    fast = [record["bpm"] for record in records if record["source"] == "fast.flac"]
    np.testing.assert_allclose(fast, 141, rtol=5e-4)


def test_the_archives_bytes_dont_depend_on_the_workers(
    source: Source, heard: list[Facts], archive: Archive, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(3) as pool:
        again = list(listen_all(source, [replace(facts, heard=None, reason=None) for facts in heard], LOOPS, pool, 3))
        assert again == heard
        build(source, survey(again, (), LOOPS).good, NONE, LOOPS, tmp_path / "b.zip", executor=pool, workers=3)
    assert (tmp_path / "b.zip").read_bytes() == archive.path.read_bytes()


def test_a_recording_without_a_beat_is_left_out_with_its_reason(heard: list[Facts]) -> None:
    found = survey(heard, (), LOOPS)
    assert [facts.name for facts in found.good] == list(BEATS)
    ((name, reason),) = found.bad
    assert name == "noise.wav"
    assert reason.startswith("no clip on the beat; 0:00 to 0:25: no clear beat (0.0")
    assert len(found.heard) == 3


def test_the_plan_reads_parts_of_a_file_once_each(heard: list[Facts]) -> None:
    (facts,) = (one for one in heard if one.name == "drift.mp3")
    assert facts.heard is not None
    plan = list(pieces([facts], LOOPS, {}, 0.0))
    assert sum(len(piece.cuts) for piece in plan) == len(facts.heard.clips) == fit([facts], LOOPS).canvases
    assert max(len(piece.cuts) for piece in plan) == CANVASES_A_PIECE
    assert all(piece.facts.heard is None for piece in plan)  # which would travel with every job
    assert all(piece.begin >= 0 and piece.begin + piece.frames <= facts.frames for piece in plan)
    assert all(cut.reach(RATE)[0] >= piece.origin for piece in plan for cut in piece.cuts)
    assert fit([facts], LOOPS).full == pytest.approx(LOOPS.clip_samples / SHAPE.samples)
    assert propose([facts], LOOPS) is None


def test_clips_fill_the_canvas_where_no_bars_are_asked_for(source: Source, heard: list[Facts]) -> None:
    facts = next(one for one in heard if one.name == "fast.flac")
    got = listen(source, Preparation(SHAPE, beats=Beats()), replace(facts, heard=None))
    cuts = cuts_for(got, Preparation(SHAPE, beats=Beats()))
    assert {cut.length for cut in cuts} == {SHAPE.samples}
    last = cuts[-1]
    assert last.clip is not None
    assert last.start + last.length * last.clip.ratio <= facts.frames


def test_what_has_changed_since_the_scan_is_told(source: Source, heard: list[Facts]) -> None:
    gone = listen(source, LOOPS, replace(heard[0], name="gone.mp3", heard=None))
    assert gone.reason is not None
    assert "gone.mp3" not in gone.reason
    assert listen(source, Preparation(SHAPE), heard[2]) is heard[2]
    with pytest.raises(SoundError, match="no file is left"):
        build(source, [], NONE, LOOPS, Path("unwritten.zip"))


def test_a_zip_of_music_gives_the_same_clips(source: Source, heard: list[Facts], tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "music.zip", "w") as file:
        file.write(source.path / "fast.flac", "fast.flac")
    facts = next(one for one in heard if one.name == "fast.flac")
    assert listen(find(tmp_path / "music.zip").source, LOOPS, replace(facts, heard=None)) == facts
    assert json.loads(json.dumps(facts.heard.clips[0].to_dict()))["stretch"] == pytest.approx(130 / 141, rel=1e-3)  # type: ignore[union-attr]
    assert read(source.path / "fast.flac")[1] == RATE
