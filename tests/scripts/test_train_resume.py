# SPDX-License-Identifier: Apache-2.0
"""A run that was ended, in whatever way, and goes on, equals one that never was: bit for bit."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from patches.runs import tensorfile
from tests.patches.runs.support import archive, call, finish, lines, only_run, start

__all__ = ["archive"]

LENGTH = {
    "kimg": 0.4,
    "tick": 0.064,
    "snap": 1,
    "keep_states": 2,
    "target": -0.9,
}  # 50 iterations, 7 ticks; style mixing and ADA are on
LAST = "000000.400"
OF_TIME = {"s_per_kimg", "seconds", "data_seconds", "other_seconds", "total_seconds", "memory_gb"}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, archive) -> Path:
    outdir = tmp_path_factory.mktemp("uninterrupted")
    call(outdir=outdir, data=archive, **LENGTH)
    return only_run(outdir)


def rows(run: Path) -> list[dict]:
    found = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in OF_TIME} for row in found]


def assert_equal_runs(a: Path, b: Path) -> None:
    """Every snapshot, the last state and all figures but times are equal."""
    assert rows(a) == rows(b)
    networks = [sorted(path.name for path in run.glob("network-*")) for run in (a, b)]
    assert networks[0] == networks[1]
    for name in (*networks[0], f"training-state-{LAST}.safetensors", "training-state-000000.safetensors"):
        assert tensorfile.digest(a / name) == tensorfile.digest(b / name), name
    for name in ("reals.png", f"fakes{LAST}.png", f"fakes{LAST}.wav"):
        assert (a / name).read_bytes() == (b / name).read_bytes()
    states = [sorted(path.name for path in run.glob("training-state-*")) for run in (a, b)]
    assert states[0] == states[1]
    for name in states[0]:
        pruned = [tensorfile.read_header(run / name)["pruned"] for run in (a, b)]
        assert pruned[0] == pruned[1]
    assert not [path for path in b.rglob("*") if path.name.startswith(".")]


def test_ada_and_style_mixing_were_on(uninterrupted):
    options = json.loads((uninterrupted / "training_options.json").read_text())["options"]
    assert (options["cfg"], options["aug"]) == ("stylegan2", "ada")
    p = [row["p"] for row in rows(uninterrupted)]
    assert 0 < p[1] < p[-1]


def wait_for_ticks(process, count: int) -> str:
    """Read a training's lines until so many ticks were told."""
    told = ""
    for line in lines(process):
        told += line
        if line.startswith("tick "):
            count -= 1
            if count == 0:
                return told
    raise AssertionError(told)


def test_killed_in_mid_tick_and_started_again_with_the_same_line(uninterrupted, archive, tmp_path):
    generator = random.Random(time.time_ns())
    options = {"outdir": tmp_path, "data": archive, "resume": "auto", **LENGTH}
    process = start(tmp_path, **options)
    wait_for_ticks(process, 2)
    time.sleep(generator.uniform(0, 0.4))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    told = finish(start(tmp_path, **options))
    assert "Resuming " in told
    assert_equal_runs(uninterrupted, only_run(tmp_path))
    assert "--kimg=0.4 is reached already (0.4 kimg); to go further: --kimg=0.8 in all, or --kimg=+0.4" in call(
        **options
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_says_how_to_go_on_and_ends_well(uninterrupted, archive, tmp_path, number):
    process = start(tmp_path, outdir="out", data=archive, **LENGTH)
    told = wait_for_ticks(process, 2)
    time.sleep(0.1)
    process.send_signal(number)
    told += finish(process)
    run = only_run(tmp_path / "out")
    assert f"Stopped by {number.name} at " in told
    assert f"python train.py --resume=out/{run.name}" in told
    between = [path for path in run.glob("training-state-*") if tensorfile.read_header(path)["between"]]
    assert len(between) <= 1  # none where the signal came right at a snapshot
    call(
        resume=run,
        **dict.fromkeys(("cfg", "batch", "gamma", "cbase", "cmax", "batch_gpu", "map_depth", "kimg", "device")),
    )
    assert_equal_runs(uninterrupted, run)


def test_a_time_limit_leaves_before_it_and_goes_on(uninterrupted, archive, tmp_path):
    options = {"outdir": tmp_path, "data": archive, "resume": "auto", **LENGTH}
    told = call(time_limit="1.2s", **options)
    assert "Stopped by --time-limit at " in told
    assert tensorfile.read_header(only_run(tmp_path) / "training-state-000000.safetensors")["images"] == 0
    call(**options)
    assert_equal_runs(uninterrupted, only_run(tmp_path))


def test_a_second_signal_ends_at_once_with_the_last_state(archive, tmp_path):
    process = start(tmp_path, outdir="out", data=archive, kimg=1000, tick=1000)
    for line in lines(process):
        if line.startswith("Run: "):
            break
    run = only_run(tmp_path / "out")
    while not list(run.glob("training-state-*")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    if process.returncode == 130:  # else the first was served before the second came
        assert "Stopped at once; the last state is out/" in told
        assert "python train.py --resume=out/" in told
        assert "Traceback" not in told
    else:
        assert (process.returncode, "Stopped by SIGINT" in told) == (0, True)


def test_a_signal_while_it_starts_ends_at_once_and_leaves_nothing(archive, tmp_path):
    for delay in (0.2, 1.0, 1.8):
        process = start(tmp_path, outdir="out", data=archive, kimg=1000)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
        assert "Traceback" not in told
        if process.returncode != 0:  # 0: it had begun already, and saved
            assert process.returncode in (130, -signal.SIGINT)
            assert not (tmp_path / "out").exists()


def test_two_processes_never_train_one_run(archive, tmp_path):
    process = start(tmp_path, outdir="out", data=archive, kimg=1000)
    wait_for_ticks_or_run(process)
    run = only_run(tmp_path / "out")
    try:
        told = call(code=2, data=archive, resume=run, kimg=1000)
        assert "another process is training this run" in told
    finally:
        process.kill()
        process.communicate()


def wait_for_ticks_or_run(process) -> None:
    for line in lines(process):
        if line.startswith("Run: "):
            return


# What --resume takes


@pytest.fixture
def stopped(tmp_path, archive) -> Path:
    """A run of 6 ticks with states of which 2 are whole."""
    outdir = tmp_path / "stopped"
    call(outdir=outdir, data=archive, kimg=0.048, tick=0.008, snap=2, keep_states=2)
    return only_run(outdir)


NOTHING = dict.fromkeys(("cfg", "batch", "gamma", "cbase", "cmax", "batch_gpu", "map_depth", "kimg", "device"))


def test_a_folder_a_state_and_a_snapshot_continue_in_the_same_folder(stopped):
    for name, images in (("", 48), ("training-state-000000.048.safetensors", 48),
                         ("network-snapshot-000000.032.safetensors", 32)):  # fmt: skip
        told = call("--dry-run", resume=stopped / name, **{**NOTHING, "kimg": 1})
        assert f"Going on from {stopped}/training-state-000000.0{images}.safetensors" in told
    told = call(resume=stopped / "network-snapshot-000000.032.safetensors", **{**NOTHING, "kimg": "0.056"})
    assert "newer files are removed, that part is trained again: fakes000000.048.png, fakes000000.048.wav, " in told
    assert [row["images"] for row in rows(stopped)] == [8, 16, 24, 32, 40, 48, 56]
    assert len(list(stopped.parent.iterdir())) == 1


def test_pruning_drops_optimisers_alone_and_a_pruned_state_goes_on_and_says_what_was_lost(stopped):
    headers = {path.name[15:-12]: tensorfile.read_header(path) for path in sorted(stopped.glob("training-state-*"))}
    assert {name: header["pruned"] for name, header in headers.items()} == {
        "000000": True, "000000.016": True, "000000.032": False, "000000.048": False,
    }  # fmt: skip
    whole, pruned = (
        set(tensorfile.load(stopped / f"training-state-000000.{n}.safetensors")[0]) for n in ("032", "016")
    )
    assert {name.split(".")[0] for name in whole - pruned} == {"G_optimizer", "D_optimizer"}
    assert pruned < whole
    told = call(resume=stopped / "training-state-000000.016.safetensors", **{**NOTHING, "kimg": "0.024"})
    assert "the optimiser of G and the optimiser of D start anew" in told
    assert rows(stopped)[-1]["images"] == 24


def test_auto_starts_where_no_run_has_the_same_options(stopped, archive):
    same = {"outdir": stopped.parent, "data": archive, "tick": 0.008, "kimg": 0.048, "resume": "auto"}
    assert "is reached already" in call(**same)
    assert "Resuming" in call(**{**same, "kimg": "+0.008"})
    for number, other in enumerate(({"gamma": 2.0}, {"seed": 1}, {"cond": 1}), start=1):
        call(**{**same, **other, "kimg": 0.008})
        assert len(list(stopped.parent.iterdir())) == number + 1
        assert "is reached already" in call(**{**same, **other, "kimg": 0.008})
    assert len(list(stopped.parent.iterdir())) == 4


def test_latest_is_the_newest_run(stopped, archive):
    call(outdir=stopped.parent, data=archive, seed=5)
    told = call("--dry-run", resume="latest", outdir=stopped.parent, **{**NOTHING, "kimg": 1})
    assert "Going on from" in told
    assert "00001-" in told.rsplit("Going on from", 1)[1]
    assert "--resume=latest: needs --outdir" in call(code=2, resume="latest", **NOTHING)


def test_plus_adds_to_the_runs_goal(stopped):
    call(resume=stopped, **{**NOTHING, "kimg": "+0.008"})
    assert rows(stopped)[-1]["images"] == 56
    assert "--kimg=0.008 is reached already (0.056 kimg)" in call(resume=stopped, **{**NOTHING, "kimg": "0.008"})


def test_a_run_that_was_ended_before_its_first_state_begins_again_in_its_folder(stopped):
    for path in [*stopped.glob("training-state-*"), *stopped.glob("network-*"), *stopped.glob("fakes*")]:
        path.unlink()
    told = call(resume=stopped, **NOTHING)
    assert f"Going on from {stopped}" in told
    assert [row["images"] for row in rows(stopped)] == [8, 16, 24, 32, 40, 48]


def test_half_a_row_and_files_half_written_are_cleared_away(stopped):
    with open(stopped / "stats.jsonl", "a") as file:
        file.write('{"images": 5')
    (stopped / ".training-state-000000.056.safetensors.0000.part").write_bytes(b"half")
    call(resume=stopped, **{**NOTHING, "kimg": "0.056"})
    assert [row["images"] for row in rows(stopped)] == [8, 16, 24, 32, 40, 48, 56]
    assert not list(stopped.glob(".*"))


def test_other_options_are_refused_by_name_and_value(stopped):
    told = call(code=2, resume=stopped, **{**NOTHING, "batch": 16, "gamma": 2.0})
    assert "--batch is 8, not 16; --gamma is 1.0, not 2.0" in told


def test_other_data_is_refused_with_what_differs_and_another_place_is_taken(stopped, archive, tmp_path):
    from tests.patches.runs.support import build, notes

    larger = build(notes(tmp_path / "notes", 4), tmp_path / "larger.zip", resolution="32x32")
    told = call(code=2, resume=stopped, **{**NOTHING, "data": larger})
    assert "shape 4x32x32, not 4x16x16; items 4, not 16; hash " in told
    (tmp_path / "moved.zip").write_bytes(Path(archive).read_bytes())
    call(resume=stopped, **{**NOTHING, "data": tmp_path / "moved.zip", "kimg": "+0.008"})


def test_a_state_of_another_network_is_refused_with_what_differs(stopped, archive, tmp_path):
    call(outdir=tmp_path / "wide", data=archive, cbase=64, cmax=16, kimg=0.008, tick=0.008)
    foreign = only_run(tmp_path / "wide") / "training-state-000000.safetensors"
    target = stopped / "training-state-000000.048.safetensors"
    before = sorted(os.listdir(stopped))
    target.write_bytes(foreign.read_bytes())
    told = call(code=2, resume=stopped, **{**NOTHING, "kimg": "0.056"})
    assert "G: the file is of another network: " in told
    assert "], not [" in told
    assert sorted(os.listdir(stopped)) == before


def test_broken_and_foreign_files_are_refused_in_one_line(stopped, tmp_path):
    state = stopped / "training-state-000000.048.safetensors"
    (tmp_path / "half.safetensors").write_bytes(state.read_bytes()[:1000])
    assert "not a whole .safetensors file" in call(code=2, resume=tmp_path / "half.safetensors", **NOTHING)
    (tmp_path / "moved.safetensors").write_bytes(state.read_bytes())
    assert "not a run of this program" in call(code=2, resume=tmp_path / "moved.safetensors", **NOTHING)
    assert "not a run of this program" in call(code=2, resume=tmp_path, **NOTHING)
    (stopped / "network-snapshot-000000.048.safetensors").rename(tmp_path / "network-snapshot-000000.048.safetensors")
    told = call(code=2, resume=tmp_path / "network-snapshot-000000.048.safetensors", **NOTHING)
    assert "there is no training-state-000000.048.safetensors beside it; use --finetune=" in told
