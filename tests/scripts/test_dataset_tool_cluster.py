# SPDX-License-Identifier: Apache-2.0
"""A dask cluster of real processes builds what the local pool builds, though one of its workers is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import dataset_tool_wav
from spect.dataset.cluster import cluster
from spect.dataset.parts import parts_folder
from spect.errors import SoundError

ROOT = Path(__file__).resolve().parents[2]
FILES = 60
SERVER = """
import json, os, sys
from distributed import LocalCluster

if __name__ == "__main__":
    options = {"processes": True, "dashboard_address": None, "host": "127.0.0.1", "memory_limit": 0}
    with LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster:
        print(json.dumps([cluster.scheduler_address, [one.pid for one in cluster.workers.values()]]), flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    (tmp_path / "sounds").mkdir()
    rng = np.random.default_rng(0)
    for number in range(FILES):
        data = rng.uniform(-0.5, 0.5, (int(rng.integers(3000, 30000)), 2))
        soundfile.write(tmp_path / "sounds" / f"{number:02d}.wav", data, 8000, subtype="PCM_16")
    return tmp_path / "sounds"


def test_a_cluster_that_loses_a_worker_builds_the_same_bytes(sounds: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="distributed isn't installed (this project's extra `dask`)")
    tool(sounds, tmp_path / "local.zip", "--workers=1")
    dest = tmp_path / "cluster.zip"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes) as server:  # type: ignore[call-overload]
        address, pids = json.loads(server.stdout.readline())
        killer = threading.Thread(target=kill_when_begun, args=(dest, pids[0]), daemon=True)
        killer.start()
        out = tool(sounds, dest, "--executor=dask", f"--scheduler={address}")
        killer.join(timeout=1)
        with pytest.raises(SoundError, match=r"doesn't see .*/elsewhere; source and target must lie on storage"):
            cluster(address, tmp_path / "elsewhere", tmp_path).__enter__()
        server.stdin.close()
    assert not killer.is_alive()
    assert f"2 of the cluster at {address}" in out
    assert dest.read_bytes() == (tmp_path / "local.zip").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cluster.zip", "local.zip", "sounds"]


def tool(sounds: Path, dest: Path, *options: str) -> str:
    shape = ["--resolution=16x32", "--sample-rate=8000", "--slice", "--stride=0.064"]
    done = CliRunner().invoke(dataset_tool_wav.main, [f"--source={sounds}", f"--dest={dest}", *shape, *options])
    assert done.exit_code == 0, done.output
    return done.output


def kill_when_begun(dest: Path, worker: int) -> None:
    journal = parts_folder(dest) / "journal.jsonl"
    while not journal.exists() or not journal.stat().st_size:
        time.sleep(0.002)
    os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--executor=dask"], "--executor=dask: needs --scheduler=ADDRESS, which `dask scheduler` prints"),
        (["--scheduler=tcp://x:1"], "--scheduler=tcp://x:1: only a cluster has one; add --executor=dask"),
        (["--executor=dask", "--scheduler=tcp://x:1", "--workers=2"], "a cluster brings its own; leave --workers out"),
        (["--executor=dask", "--scheduler=tcp://x:1"], "--executor=dask: needs the package distributed; pip install"),
    ],
)
def test_mistakes_with_clusters_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    given = [f"--source={tmp_path / 'a.wav'}", f"--dest={tmp_path / 'a.zip'}", *options]
    done = CliRunner().invoke(dataset_tool_wav.main, given)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
