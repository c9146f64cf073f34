# SPDX-License-Identifier: Apache-2.0
"""What can go wrong in the middle of a run: NaN, a full disk, a reader that leaves; and a terminal that watches."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from patches.runs.health import Watch
from patches.runs.states import read_state
from patches.runs.ticker import Ticker
from stylegan3.training.trainer import Trainer
from tests.patches.runs.support import ROOT, archive, call, flags, lines, only_run, start

__all__ = ["archive"]


def test_a_loss_that_is_not_finite_stops_with_the_last_good_state_named(archive, tmp_path, monkeypatch):
    step = Trainer.step

    def poisoned(trainer: Trainer, *batch: torch.Tensor) -> None:
        if trainer.images == 40:
            with torch.no_grad():
                trainer.discriminator.out.bias.fill_(float("nan"))
        step(trainer, *batch)

    monkeypatch.setattr(Trainer, "step", poisoned)
    told = call(code=2, outdir=tmp_path, data=archive, kimg=0.1, tick=0.016, snap=1)
    run = only_run(tmp_path)
    good = run / "training-state-000000.032.safetensors"
    assert (
        f"the loss of 'G main' is not finite after 40 pictures; training stopped, the last good state is {good}" in told
    )
    tensors, header = read_state(good)
    assert header["images"] == 32
    assert all(torch.isfinite(value).all() for value in tensors.values() if value.is_floating_point())


def test_a_full_disk_ends_with_one_line_and_the_former_snapshots_whole(archive, tmp_path, monkeypatch):
    real, hits = os.fsync, []

    def full(handle: int) -> None:
        name = os.readlink(f"/proc/self/fd/{handle}")
        if "training-state-000000.032" in name:
            hits.append(name)
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    told = call(code=2, outdir=tmp_path, data=archive, kimg=0.1, tick=0.016, snap=1)
    assert "the disk is full" in told
    run = only_run(tmp_path)
    assert hits
    assert sorted(path.name for path in run.glob("training-state-*")) == [
        "training-state-000000.016.safetensors", "training-state-000000.safetensors",
    ]  # fmt: skip
    monkeypatch.undo()
    told = call("--resume=auto", outdir=tmp_path, data=archive, kimg=0.1, tick=0.016, snap=1)
    assert "at 0.016 kimg" in told
    assert not list(run.glob(".*"))


def test_a_reader_that_leaves_does_not_end_the_training(archive, tmp_path):
    process = start(tmp_path, outdir="out", data=archive, kimg=0.08, tick=0.016)
    for line in lines(process):
        if line.startswith("Run: "):
            break
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    run = only_run(tmp_path / "out")
    assert [json.loads(line)["images"] for line in (run / "stats.jsonl").read_text().splitlines()][-1] == 80


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_a_terminal_gets_a_bar_below_the_lines(archive, tmp_path):
    import pty

    shown, hidden = pty.openpty()
    command = [sys.executable, str(ROOT / "train.py"), *flags(outdir="out", data=archive, kimg=0.08, tick=0.016)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm", "COLUMNS": "220"}
    process = subprocess.Popen(command, cwd=tmp_path, stdout=hidden, stderr=hidden, env=environment)
    os.close(hidden)
    seen = read_all(shown)
    assert process.wait(timeout=60) == 0
    assert "training" in seen
    assert "80/80" in seen
    ticks = [line for line in seen.replace("\r", "\n").split("\n") if "s/kimg" in line]
    assert len(ticks) == 5
    assert all("GB" in line and "/80 " not in line for line in ticks)  # none shares its line with the bar


def test_a_terminal_for_the_bar_alone_leaves_the_lines_where_they_go(archive, tmp_path):
    import pty

    shown, hidden = pty.openpty()
    command = [sys.executable, str(ROOT / "train.py"), *flags(outdir="out", data=archive, kimg=0.016, tick=0.008)]
    with open(tmp_path / "told", "w") as told:
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=told, stderr=hidden, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        os.close(hidden)
        seen = read_all(shown)
        assert process.wait(timeout=60) == 0
    assert "16/16" in seen
    assert "s/kimg" not in seen
    assert (tmp_path / "told").read_text().count("s/kimg") == 2


def read_all(handle: int) -> str:
    """Read what a pseudo terminal shows until its other end is closed."""
    parts = []
    while True:
        try:
            part = os.read(handle, 65536)
        except OSError:  # how Linux says that nobody writes any more
            break
        if not part:
            break
        parts.append(part)
    os.close(handle)
    return b"".join(parts).decode(errors="replace")


def test_paths_of_this_machine_stay_out_of_snapshots(archive, tmp_path):
    call(outdir=tmp_path, data=archive)
    for path in only_run(tmp_path).glob("*.safetensors"):
        content = path.read_bytes()
        assert str(Path(archive).parent).encode() not in content
        assert str(tmp_path).encode() not in content


def test_the_training_goes_on_while_a_ticks_sounds_are_made(archive, tmp_path, monkeypatch):
    trained = threading.Event()
    step, look = Trainer.step, Watch.look

    def steps(trainer, pictures, labels):
        step(trainer, pictures, labels)
        if trainer.images == 16:
            trained.set()

    def looks(watch, pictures):
        assert trained.wait(60), "the next iteration waits for the tick before it"
        return look(watch, pictures)

    monkeypatch.setattr(Trainer, "step", steps)
    monkeypatch.setattr(Watch, "look", looks)
    told = call(outdir=tmp_path, data=archive, kimg=0.016, tick=0.008, metrics="none")
    assert told.index("tick 1 ") < told.index("tick 2 ")
    rows = [json.loads(line) for line in (only_run(tmp_path) / "stats.jsonl").read_text().splitlines()]
    assert [row["tick"] for row in rows] == [1, 2]
    assert all({"level_db", "diversity", "silent", "nonfinite"} <= row.keys() for row in rows)


def test_a_tick_that_cannot_be_told_of_does_not_keep_a_stopped_run_from_its_state(archive, tmp_path, monkeypatch):
    leaving = threading.Event()
    step, leave = Trainer.step, Ticker.leave

    def steps(trainer, pictures, labels):
        step(trainer, pictures, labels)
        os.kill(os.getpid(), signal.SIGTERM)

    def leaves(ticker, reason):
        leaving.set()
        leave(ticker, reason)

    def looks(watch, pictures):
        assert leaving.wait(60)
        raise OSError(errno.ENOSPC, "No space left on device", "stats.jsonl")

    monkeypatch.setattr(Trainer, "step", steps)
    monkeypatch.setattr(Ticker, "leave", leaves)
    monkeypatch.setattr(Watch, "look", looks)
    told = call(outdir=tmp_path, data=archive, kimg=1, tick=0.008, snap=50, metrics="none")
    assert "not written: stats.jsonl: the disk is full" in told
    assert "Stopped by SIGTERM at 0.008 kimg; the state is training-state-000000.008.safetensors" in told
    assert int(read_state(only_run(tmp_path) / "training-state-000000.008.safetensors")[1]["images"]) == 8
