# SPDX-License-Identifier: Apache-2.0
"""Several processes train one run: by --gpus and by torchrun; stopped, killed and started again, they go on."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.rank_kills import descendants
from patches.runs import tensorfile
from patches.runs.directory import Run
from tests.patches.runs.support import ROOT, TINY, archive, call, finish, flags, lines, only_run, resolved, start

__all__ = ["archive"]

LENGTH = {
    "kimg": 0.192, "tick": 0.048, "snap": 1, "batch": 16, "batch_gpu": 4, "target": -0.9, "metrics": "none",
    "precision": "fp32",
}  # fmt: skip
TWO = {**LENGTH, "gpus": 2}
LAST = "training-state-000000.192.safetensors"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, archive) -> Path:
    """A run of two ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    told = finish(start(folder, outdir=folder / "out", data=archive, **TWO))
    assert told.count("tick 4 ") == 1  # one rank tells
    assert "device: cpu; 2 ranks" in told
    return only_run(folder / "out")


def states_equal(a: Path, b: Path) -> bool:
    return tensorfile.digest(a / LAST) == tensorfile.digest(b / LAST)


def rank_of_launched(process: "subprocess.Popen[str]", rank: int) -> int:
    """Return the process id of a rank among a launcher's descendants."""
    for found in sorted(descendants(process.pid)):
        environment = Path(f"/proc/{found}/environ").read_bytes().split(b"\0")
        if f"RANK={rank}".encode() in environment:
            return found
    raise AssertionError("no such rank")


def until(process: "subprocess.Popen[str]", beginning: str) -> str:
    """Read what is told up to a line."""
    told = ""
    for line in lines(process):
        told += line
        if line.startswith(beginning):
            return told
    raise AssertionError(told)


def test_two_ranks_train_what_one_trains(uninterrupted, archive, tmp_path):
    call(outdir=tmp_path, data=archive, **LENGTH)
    alone = only_run(tmp_path)
    assert uninterrupted.name.replace("gpus2", "gpus1") == alone.name
    names = [
        sorted(path.name for path in run.iterdir() if not path.name.startswith("events"))
        for run in (alone, uninterrupted)
    ]
    assert names[0] == names[1]
    one, two = (tensorfile.load(run / LAST)[0] for run in (alone, uninterrupted))
    assert one.keys() == two.keys()
    assert float(one["ada.p"]) == float(two["ada.p"]) > 0
    for name, value in one.items():  # float32, and Adam's first steps are signs: rounding shows
        scale = max(float(value.double().abs().max()), 1e-3)
        assert float((value.double() - two[name].double()).abs().max()) < 0.02 * scale, name


def test_a_signal_to_the_launcher_saves_and_the_run_goes_on_bit_for_bit(uninterrupted, archive, tmp_path):
    process = start(tmp_path, outdir="out", data=archive, **TWO)
    until(process, "tick 2 ")
    process.send_signal(signal.SIGTERM)
    told = finish(process)
    if "Stopped by SIGTERM" in told:
        assert told.count("SIGTERM: saving after this iteration") == 1
    run = only_run(tmp_path / "out")
    told = finish(start(tmp_path, resume=run, **dict.fromkeys(TINY)))
    assert "Resuming" in told
    assert states_equal(uninterrupted, run)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_rank_ends_the_run_with_a_usable_state(uninterrupted, archive, tmp_path, killed):
    process = start(tmp_path, outdir="out", data=archive, **{**TWO, "kimg": 100})
    until(process, "tick 2 ")
    os.kill(rank_of_launched(process, killed), signal.SIGKILL)
    told, _ = process.communicate(timeout=60)  # seconds, not the half hour that ranks wait for each other
    assert process.returncode == 128 + signal.SIGKILL, told
    assert f"rank {killed} was ended by SIGKILL; --resume=auto goes on from the last state" in told
    assert "Traceback" not in told
    if killed:
        assert "Stopped: another rank is gone" in told
    run = only_run(tmp_path / "out")
    finish(start(tmp_path, outdir="out", data=archive, resume="auto", **TWO))
    assert only_run(tmp_path / "out") == run
    assert states_equal(uninterrupted, run)
    assert [row["tick"] for row in Run(run).rows()] == [1, 2, 3, 4]


def test_torchrun_starts_them_again_where_they_were(uninterrupted, archive, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    command += [str(ROOT / "train.py"), *flags(outdir="out", data=archive, **LENGTH)]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    until(process, "tick 2 ")
    os.kill(rank_of_launched(process, 1), signal.SIGKILL)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert re.search(r"Resuming .* at 0\.(048|096|144) kimg", told)
    assert states_equal(uninterrupted, only_run(tmp_path / "out"))


def test_another_number_of_ranks_goes_on_and_says_so(uninterrupted, archive, tmp_path):
    process = start(tmp_path, outdir="out", data=archive, **{**TWO, "kimg": 0.096})
    finish(process)
    told = call(outdir=tmp_path / "out", data=archive, resume="auto", gpus=1, **LENGTH)
    assert "with 1 ranks in place of 2: the same up to rounding, not bit for bit" in told
    one, two = (tensorfile.load(run / LAST)[0] for run in (only_run(tmp_path / "out"), uninterrupted))
    assert float(one["ada.p"]) == float(two["ada.p"])
    name = "G_ema.synthesis.const"
    assert torch.allclose(one[name], two[name], atol=0.02 * float(two[name].abs().max()))


def test_a_time_limit_ends_all_ranks_with_a_state(archive, tmp_path):
    told = finish(start(tmp_path, outdir="out", data=archive, time_limit="12s", **{**TWO, "kimg": 1000}))
    assert "Stopped by --time-limit" in told
    states = only_run(tmp_path / "out").glob("training-state-*")
    assert max(tensorfile.read_header(state)["images"] for state in states) > 0


def test_what_ranks_cannot_do_is_one_line(archive, tmp_path):
    process = start(tmp_path, outdir="out", data=archive, gpus=3, batch=16, batch_gpu=None)
    told = finish(process, code=2)
    assert told.splitlines() == [
        "train.py: --batch=16: 3 ranks share its 4 minibatch-stddev groups of 4; give a multiple of 12, such as "
        "--batch=24, another --gpus, or another --mbstd-group"
    ]
    assert not (tmp_path / "out").exists()
    told = finish(start(tmp_path, outdir="out", data="nothing.zip", gpus=2, batch=16, batch_gpu=None), code=2)
    assert len(told.splitlines()) == 1


def test_a_dry_run_tells_of_ranks_without_starting_them(archive, tmp_path):
    told = call("--dry-run", outdir=tmp_path / "out", data=archive, **TWO)
    assert "; 2 ranks" in told
    assert resolved(outdir="x", data="y", gpus=2, batch=16, batch_gpu=4).options.gpus == 2


FAILS_ONCE = """
import os, runpy, sys
sys.path.insert(0, {root!r})
if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    raise SystemExit(1)
runpy.run_path({root!r} + "/train.py", run_name="__main__")
"""


def test_torchrun_starting_a_new_run_again_takes_no_old_one_of_the_same_options(uninterrupted, archive, tmp_path):
    """The first attempt fails before the run has a folder; one that is there already was trained long ago."""
    shutil.copytree(uninterrupted, tmp_path / "out" / uninterrupted.name)
    script = tmp_path / "fails_once.py"
    script.write_text(FAILS_ONCE.format(root=str(ROOT)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    done = subprocess.run(
        [*command, str(script), *flags(outdir="out", data=archive, **LENGTH)], cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    new = tmp_path / "out" / uninterrupted.name.replace("00000-", "00001-")
    assert f"Run: {new.relative_to(tmp_path)}" in done.stdout
    assert states_equal(uninterrupted, new)


BREAKS = """
import os, sys
sys.path.insert(0, {root!r})
import click, train
from patches import console
from stylegan3.training.trainer import Trainer
step = Trainer.step
def breaking(trainer, *batch):
    if os.environ.get("RANK") == "1" and trainer.images == 112:
        raise OSError(5, "Input/output error", "sounds.zip")
    step(trainer, *batch)
Trainer.step = breaking
console.run(train.main, click.ClickException, click.Abort)
"""


def test_an_error_of_one_rank_is_the_one_that_is_shown(archive, tmp_path):
    script = tmp_path / "breaks.py"
    script.write_text(BREAKS.format(root=str(ROOT)))
    done = subprocess.run(
        [sys.executable, str(script), *flags(outdir="out", data=archive, **TWO)], cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout
    assert done.stdout.count("sounds.zip: Input/output error") == 1
    assert "Stopped: another rank is gone; the last state is " in done.stdout
    assert "training-state-000000.096.safetensors" in done.stdout
    assert "Traceback" not in done.stdout
