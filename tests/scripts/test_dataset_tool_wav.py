# SPDX-License-Identifier: Apache-2.0
"""The dataset tool as a person meets it: what it says, its exit codes, Ctrl-C and kill -9."""

import csv
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import dataset_tool_wav
from patches.presets import PRESETS
from spect.archive.reader import Archive
from spect.cmyk import Cmyk
from spect.dataset.options import Preparation
from spect.dataset.parts import left_behind
from spect.dataset.survey import with_shape

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "dataset_tool_wav.py"
AUDIO = ROOT.parent / "shared" / "audio"
SMALL = ("--resolution=16x16", "--sample-rate=8000", "--workers=1")


def run(*arguments: object, code: int = 0) -> tuple[str, str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=_environment(), check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


def store(path: Path, seconds: float, rate: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = 0.4 * np.sin(np.arange(round(seconds * rate)) * 0.2)
    soundfile.write(path, data, rate)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for name in ("kick/1.wav", "kick/2.wav", "snare/1.wav"):
        store(tmp_path / "sounds" / name, 0.05)
    (tmp_path / "sounds" / "kick" / "notes.wav").write_text("not a sound")
    return tmp_path / "sounds"


def test_a_folder_becomes_an_archive_and_bad_files_a_list(sounds: Path, tmp_path: Path) -> None:
    out, err = run("--source", sounds, "--dest", tmp_path / "new" / "a.zip", "--labels=folders", *SMALL)
    assert err == ""
    for said in (
        "Scan of",
        "files       4 (wav 3)",
        "unreadable  1 (left out)",
        "It will write:",
        "2: kick 2, snare 1",
    ):
        assert said in out
    last = out.strip().splitlines()[-1]
    assert last == "--source: 1 of 4 files is unreadable (listed in skipped.csv); the other 3 go in."
    archive = Archive.open(tmp_path / "new" / "a.zip")
    archive.verify()
    assert (len(archive), archive.classes, archive.labels.tolist()) == (3, ("kick", "snare"), [0, 0, 1])
    with (tmp_path / "new" / "skipped.csv").open(newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["kick/notes.wav"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.zip", "skipped.csv"]


def test_the_table_shows_each_preset_and_proposes_a_canvas(sounds: Path, tmp_path: Path) -> None:
    out, _ = run("--source", sounds, "--dest", tmp_path / "a.zip", "--workers=1", "--dry-run")
    assert "(the paper's; --resolution, --sample-rate)" in out
    assert "Proposal: --resolution=64x64 --sample-rate=8000" in out
    assert all(f"--preset={name}" in out for name in ("paper", "tiny", "quick"))
    assert "s/kimg" in out
    assert "next:" not in out
    assert [path.name for path in tmp_path.iterdir()] == ["sounds"]  # a dry run writes nothing


def test_the_second_run_replaces_the_first_and_says_so(sounds: Path, tmp_path: Path) -> None:
    run("--source", sounds, "--dest", tmp_path / "a.zip", *SMALL)
    digest = Archive.open(tmp_path / "a.zip").digest
    out, _ = run("--source", sounds, "--dest", tmp_path / "a.zip", *SMALL)
    assert "(replaces the one that is there)" in out
    assert Archive.open(tmp_path / "a.zip").digest == digest


def test_a_list_of_the_users_own_stays_and_ours_is_named_by_the_archive(sounds: Path, tmp_path: Path) -> None:
    (tmp_path / "skipped.csv").write_text("mine\n")
    soundfile.write(sounds / "kick" / "ints.wav", np.full(500, 32767.0), 8000, subtype="FLOAT")
    out, _ = run("--source", sounds, "--dest", tmp_path / "a.zip", *SMALL)
    assert "2 of 5 files are unreadable (listed in a.skipped.csv); the other 3 go in." in out
    assert "kick/ints.wav: peak 32767, +90 dBFS: looks like 16-bit integers saved as float" in out
    assert (tmp_path / "skipped.csv").read_text() == "mine\n"
    with (tmp_path / "a.skipped.csv").open(newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["kick/ints.wav", "kick/notes.wav"]


def test_the_papers_variant_is_said_recorded_and_kept_by_proposals(sounds: Path, tmp_path: Path) -> None:
    out, _ = run("--source", sounds, "--dest", tmp_path / "a.zip", "--dc=dropped", *SMALL)
    assert "without each frame's mean: the paper's own variant" in out
    archive = Archive.open(tmp_path / "a.zip")
    assert archive.summary["representation"]["dc"] == archive.representation.dc == "dropped"
    assert archive.statistics["dc_maximum_p99"] == 0
    shape = Preparation(Cmyk(dc="dropped"))
    assert with_shape(shape, 64, 64, 8000).representation == Cmyk(8000, 64, 64, "dropped")


@pytest.mark.parametrize(("side", "preset"), [(64, "tiny"), (512, "paper --scaling=compand"), (32, None)])
def test_the_next_command_trains_this_shape_with_a_preset_for_ones_own_sounds(
    sounds: Path, tmp_path: Path, side: int, preset: str | None
) -> None:
    arguments = [f"--source={sounds}", f"--dest={tmp_path / 'a.zip'}", f"--resolution={side}x{side}", "--workers=1"]
    done = CliRunner().invoke(dataset_tool_wav.main, arguments)
    assert done.exit_code == 0
    named = [line.split("--preset=")[1] for line in done.output.splitlines() if line.startswith("  next:")]
    assert named == [preset] * (preset is not None)
    if preset is not None:
        assert PRESETS[preset.split()[0]].resolution == f"{side}x{side}"


def test_every_preparation_at_once(sounds: Path, tmp_path: Path) -> None:
    store(sounds / "snare" / "long.wav", 1.0)
    options = [
        "--slice",
        "--stride=0.02",
        "--trim-start",
        "--peak=-3",
        "--fade-out=2",
        "--holdout=0.5",
        "--resampler=linear",
        "--downmix",
    ]
    run("--source", sounds, "--dest", tmp_path / "a.zip", "--previews", tmp_path / "png", *options, *SMALL)
    archive = Archive.open(tmp_path / "a.zip")
    assert archive.summary["preparation"] == {
        "downmix": True, "fade_out_ms": 2.0, "peak_db": -3.0, "resampler": "linear", "slice": True,
        "stride_samples": 160, "trim_start_db": -60.0,
    }  # fmt: skip
    assert archive.summary["holdout"] == 0.5
    assert len(list((tmp_path / "png").glob("*.png"))) == len(archive) > 40


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--source=nowhere", "--dest=a.zip"], "--source: nowhere doesn't exist; give a folder of sounds"),
        (["--source={sounds}", "--dest={tmp}"], "is a folder; name a file in it"),
        (["--source={sounds}", "--dest={tmp}/a.zip", "--resolution=big"], "--resolution: got 'big'; allowed is FxT"),
        (["--source={sounds}", "--dest={tmp}/a.zip", "--stride=1"], "only slices have a stride; add --slice"),
        (["--source={sounds}", "--dest={tmp}/a.zip", "--labels=folders", "--include=tom"], "there are kick, snare"),
        (["--source={sounds}", "--dest={tmp}/a.zip", "--slice", "--stride=nan"], "--stride: got nan seconds"),
        (["--source={sounds}/kick/1.wav", "--dest={tmp}/a.zip", "--holdout=0.9"], "takes 1 of 1 files"),
        (["--source={sounds}", "--dest={tmp}/a.zip", "--holdout=nan"], "--holdout: got nan; allowed are 0 to 0.9"),
        (["--source={sounds}", "--dest={tmp}/a.zip", "--frobnicate"], "--frobnicate"),
        (["--source={sounds}/kick/notes.wav", "--dest={tmp}/a.zip", "--workers=1"], "none of the 1 files can go in"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(sounds: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    _, err = run(*(one.format(sounds=sounds, tmp=tmp_path) for one in arguments), code=2)
    assert said in err
    assert err.startswith("dataset_tool_wav.py: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("*.zip"))


def _start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, start_new_session=True, env=_environment(), **pipes)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_is_one_line_and_leaves_only_what_resume_goes_on_with(tmp_path: Path, workers: int) -> None:
    for number in range(400):
        store(tmp_path / "sounds" / f"{number}.wav", 1.0)
    dest = tmp_path / "new" / "a.zip"
    process = _start("--source", tmp_path / "sounds", "--dest", dest, f"--workers={workers}")
    assert process.stdout is not None
    while "What to expect" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "dataset_tool_wav.py: interrupted\n")
    canvases, _ = left_behind(dest)
    if canvases:
        assert f"{canvases} canvas" in out
        assert "the same command with --resume goes on there (or remove it)." in out
        assert [path.name for path in dest.parent.iterdir()] == ["a.zip.parts"]
    else:
        assert [path.name for path in tmp_path.iterdir()] == ["sounds"]


def test_a_killed_build_is_told_of_and_goes_on_with_resume(tmp_path: Path) -> None:
    for number in range(300):
        store(tmp_path / "sounds" / f"{number:03d}.wav", 1.0)
    dest, shape = tmp_path / "a.zip", ["--resolution=64x64", "--sample-rate=8000"]
    process = _start("--source", tmp_path / "sounds", "--dest", dest, *shape, "--workers=1")
    while not left_behind(dest)[0]:
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.kill()
    process.communicate()
    canvases, _ = left_behind(dest)
    assert 0 < canvases < 300

    def tool(target: Path, *options: str) -> str:
        given = [f"--source={tmp_path / 'sounds'}", f"--dest={target}", *shape, "--workers=1", *options]
        done = CliRunner().invoke(dataset_tool_wav.main, given)
        assert done.exit_code == 0, done.output
        return done.output

    assert f"holds {canvases} canvas" in tool(dest, "--dry-run").splitlines()[0]
    assert "this build would begin anew; --resume goes on there." in tool(dest, "--dry-run").splitlines()[0]
    said = tool(dest, "--resume")
    assert f"--resume: {canvases} of 300 canvases are there and go in where their hashes are right." in said
    assert f"{canvases} of them were made before it was interrupted" in said
    tool(tmp_path / "whole.zip")
    assert dest.read_bytes() == (tmp_path / "whole.zip").read_bytes()
    assert "a.zip.parts isn't there; the build begins at the beginning." in tool(dest, "--resume")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "sounds", "whole.zip"]


def test_real_drums_are_labelled_by_their_folders(tmp_path: Path) -> None:
    if not (AUDIO / "drums").is_dir():
        pytest.skip("the real sounds of shared/audio are not here")
    out, _ = run("--source", AUDIO / "drums", "--dest", tmp_path / "drums.zip", "--labels=folders", "--max-files=30",
        "--resolution=64x64", "--workers=1")  # fmt: skip
    assert f"next: python train.py --outdir=trained_networks --data={tmp_path / 'drums.zip'} --preset=tiny" in out
    archive = Archive.open(tmp_path / "drums.zip")
    assert archive.classes == ("cymbal", "hihat", "kick", "percussion", "snare", "tom")
    assert max(archive.statistics["row_maximum_p99"]) > 1


KILLED = """
import sys
from pathlib import Path
from spect.cmyk import Cmyk
from spect.dataset.build import build, scan
from spect.dataset.labels import NONE
from spect.dataset.options import Preparation
from spect.dataset.parts import left_behind
from spect.dataset.pool import processes
from spect.dataset.sources import find

folder, dest, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
listing = find(folder)
kinds = [Preparation(Cmyk(8000, 64, 64, 'packed'), peak_db=level) for level in (None, -1.0)]
with processes(workers) as executor:
    facts = list(scan(listing.source, listing.names, executor, workers, downmix=False, trim=False))
    print("ready", flush=True)
    while True:
        for kind in kinds:
            print(build(listing.source, facts, NONE, kind, dest, executor=executor, workers=workers).digest, flush=True)
"""


@pytest.mark.slow
def test_kill_9_while_building_never_leaves_a_broken_archive(tmp_path: Path) -> None:
    kills = int(os.environ.get("SG3_KILLS", "10"))
    for number in range(60):
        store(tmp_path / "sounds" / f"{number}.wav", 0.5)
    draw, digests, dest, found = random.Random(0), set(), tmp_path / "a.zip", []
    for number in range(kills):
        if number % 5 == 0:
            dest.unlink(missing_ok=True)  # so that some kills hit a first build, without an old target
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        command = [sys.executable, "-c", KILLED, str(tmp_path / "sounds"), str(dest), str(1 + number % 2)]
        process = subprocess.Popen(command, cwd=ROOT, env=_environment(), **pipes)  # type: ignore[call-overload]
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0, 0.4))
        process.kill()
        digests |= {line for line in process.communicate()[0].split("\n") if len(line) == 64}
        found.append("none")
        if dest.exists():
            archive = Archive.open(dest)
            archive.verify()
            found[-1] = archive.digest
            digests.add(archive.digest)
        assert len(digests) <= 2
    assert {path.name for path in tmp_path.iterdir()} <= {"sounds", "a.zip", "a.zip.parts"}
    assert (
        len(list((tmp_path / "a.zip.parts").glob("*/"))) <= 1
    )  # each build removes what the killed one before it left
    whole = kills - found.count("none")
    print(f"{kills} kills: {kills - whole} left no target, {whole} a whole one, 0 a broken one")
