# SPDX-License-Identifier: Apache-2.0
"""dataset_tool_wav.py --beats as a person meets it."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import dataset_tool_wav
import gen_audio
from spect.archive.reader import Archive
from spect.beats import library
from tests.patches.runs import support
from tests.spect.beats.music import play, steady

RATE = 22050
SMALL = ("--beats", "--resolution=64x512", f"--sample-rate={RATE}", "--workers=1")


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    song = play(steady(128, 0.2, 30), 30, RATE)
    song[:, 20 * RATE : 24 * RATE] = 0
    soundfile.write(folder / "song.flac", song.T, RATE)
    soundfile.write(folder / "slow.ogg", play(steady(100, 0.2, 20), 20, RATE).T, RATE)
    return folder


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(dataset_tool_wav.main, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_a_dry_run_tells_clips_minutes_and_losses(music: Path, tmp_path: Path) -> None:
    out = call("--source", music, "--dest", tmp_path / "a.zip", *SMALL, "--bars=1", "--dry-run")
    for said in (
        "Beats:",
        "music    0.8 min in 2 files",
        "tempos   128.0 to 128.0 BPM",
        "each 1.85 s (1 bar, 4 beats at 130 BPM), one every 8 beats",
        "outside 120 to 145 BPM 0.3",
        "silent 0.1",
        "song.flac: 0:20 to 0:24: silent",
        "slow.ogg: no clip on the beat; 0:00 to 0:20: outside 120 to 145 BPM (100.0)",
        "on beats;",
        "stretched to 130 BPM",
    ):
        assert said in out
    assert not list(tmp_path.iterdir())


def test_the_archive_and_the_list_of_what_was_dropped(music: Path, tmp_path: Path) -> None:
    out = call("--source", music, "--dest", tmp_path / "a.zip", *SMALL, "--bpm=125", "--stride-beats=4")
    archive = Archive.open(tmp_path / "a.zip")
    archive.verify()
    assert archive.summary["preparation"]["beats"]["bpm"] == 125
    assert {archive.item(index)["source"] for index in range(len(archive))} == {"song.flac"}
    assert f"{len(archive)} canvases of 1 file" in out
    assert "1 of 2 files is left out (listed in skipped.csv); the other 1 go in." in out
    assert "parts of the music that were dropped are listed in skipped.csv" in out
    with (tmp_path / "skipped.csv").open(newline="") as file:
        rows = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert rows["song.flac"] == "0:20 to 0:24: silent"
    assert rows["slow.ogg"].startswith("no clip on the beat")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--bpm=128",), "--bpm=128: only clips on the beat have it; add --beats"),
        (("--stride-beats=4",), "--stride-beats=4: only clips on the beat have it; add --beats"),
        (("--beats", "--slice"), "--slice: --beats cuts on beats already"),
        (("--beats", "--bars=90"), "--bars=90: 166.15 s at 130 BPM don't fit the canvas's 11.89 s; take --bars=6"),
        (("--beats", "--bpm-min=140", "--bpm-max=130"), "--bpm-min=140: must be below --bpm-max=130"),
    ],
)
def test_mistakes_are_told_in_one_line(music: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(dataset_tool_wav.main, [f"--source={music}", f"--dest={tmp_path / 'a.zip'}", *arguments])
    assert done.exit_code == 2
    assert said in done.output
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_told_before_anything_is_read(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    done = CliRunner().invoke(dataset_tool_wav.main, [f"--source={music}", f"--dest={tmp_path / 'a.zip'}", "--beats"])
    assert "--beats: needs librosa and python-stretch; pip install librosa python-stretch" in done.output
    assert "Scan" not in done.output


def test_music_without_any_beat_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((20 * RATE, 2)) * 0.1
    soundfile.write(tmp_path / "noise.wav", noise, RATE)
    done = CliRunner().invoke(
        dataset_tool_wav.main, [f"--source={tmp_path / 'noise.wav'}", f"--dest={tmp_path / 'a.zip'}", *SMALL]
    )
    assert "none of the 1 files can go in" in done.output
    assert "no clear beat" in done.output


def test_the_tempo_travels_from_the_music_to_the_wav(music: Path, tmp_path: Path) -> None:
    """One bar at 130 BPM, through an archive, a network of a moment's training, and back."""
    rate = 2000
    shape = (f"--sample-rate={rate}", "--resolution=32x64", "--workers=1")
    call(f"--source={music / 'song.flac'}", f"--dest={tmp_path / 'a.zip'}", "--beats", "--bars=1", *shape)
    support.call(data=tmp_path / "a.zip", outdir=tmp_path / "runs")
    run = support.only_run(tmp_path / "runs")
    arguments = [f"--network={run}", f"--outdir={tmp_path / 'out'}", "--seeds=1", "--device=cpu"]
    done = CliRunner().invoke(gen_audio.main, arguments)
    assert done.exit_code == 0, done.output
    with soundfile.SoundFile(tmp_path / "out" / "seed0001.wav") as file:
        assert file.frames == round(4 * 60 * rate / 130)
        log = file.extra_info
    assert "Beats     : 4" in log
    assert "Tempo     : 130.0" in log
    assert "Loop,RootNoteInvalid,StretchOn" in log
