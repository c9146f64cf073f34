# SPDX-License-Identifier: Apache-2.0
"""recipes/grid.sh trains each cell once, hands signals on, and ends with a table and a plot of all cells."""

import importlib.util
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from tests.patches.runs.support import TINY, archive, build, call, notes

__all__ = ["archive"]

ROOT = Path(__file__).resolve().parents[2]
GRID = ROOT / "recipes" / "grid.sh"
CELLS = {"RATES": ".001 .002", "GAMMAS": "1 10"}
NARROW = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items() if name not in ("kimg", "gamma", "cfg")]


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """An interpreter that writes down what it is asked to run, and does what the file `do` says instead."""
    path = tmp_path / "python"
    do = tmp_path / "do"
    path.write_text(f'#!/bin/bash\nprintf "%s\\n" "$*" >> "{tmp_path}/calls"\n[ ! -f "{do}" ] || . "{do}"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def start(stub: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """Start the script with the stub for python."""
    environment = {**os.environ, "DATA": "data.zip", "OUT": "out", "PYTHON": str(stub), **CELLS, **variables}
    return subprocess.Popen(
        ["bash", str(GRID), *arguments], env=environment, cwd=stub.parent, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def calls(stub: Path) -> list[str]:
    """What was run, without the folder of the tree."""
    return [line.removeprefix(f"{ROOT}/") for line in (stub.parent / "calls").read_text().splitlines()]


def test_every_cell_is_one_run_that_goes_on_and_the_table_comes_last(stub: Path):
    grid = start(stub, "--aug=noaug", KIMG="5", PRESET="tiny")
    out, err = grid.communicate(timeout=20)
    assert grid.returncode == 0, err
    dry, *cells, table = calls(stub)
    common = "train.py --preset=tiny --data=data.zip --outdir=out --resume=auto"
    asked = [
        f"{common} --desc=lr{rate} --glr={rate} --dlr={rate} --gamma={gamma} --kimg=5 --aug=noaug"
        for rate in (".001", ".002")
        for gamma in ("1", "10")
    ]
    assert cells == asked
    assert dry == f"{asked[0]} --dry-run"
    assert table == "recipes/grid_table.py out --data=data.zip --sounds=200"
    assert out.count("grid: learning rate") == 4


def test_by_itself_it_is_the_grid_of_the_paper(stub: Path):
    grid = start(stub, RATES="", GAMMAS="", OUT="", PRESET="", KIMG="")
    grid.communicate(timeout=20)
    cells = calls(stub)[1:-1]
    told = [re.search(r"--preset=(\S+) .* --glr=(\S+) --dlr=(\S+) --gamma=(\S+)$", line).groups() for line in cells]
    assert told == [("electrogan", rate, rate, gamma) for rate in (".001", ".002") for gamma in ("1", "5", "10")]


def test_a_cell_that_fails_is_told_and_the_others_are_trained(stub: Path):
    (stub.parent / "do").write_text('case "$*" in *--dry-run*) ;; *--glr=.001*--gamma=10*) exit 2;; esac\n')
    grid = start(stub)
    _, err = grid.communicate(timeout=20)
    assert grid.returncode == 1
    assert "these cells failed: .001/10" in err
    assert len(calls(stub)) == 6


def test_a_mistake_is_told_once_before_any_work(stub: Path):
    (stub.parent / "do").write_text('echo "train.py: no such file" >&2; exit 2\n')
    grid = start(stub)
    _, err = grid.communicate(timeout=20)
    assert (grid.returncode, err) == (2, "train.py: no such file\n")
    assert len(calls(stub)) == 1


def test_no_archive_named_is_one_line():
    environment = {name: value for name, value in os.environ.items() if name != "DATA"}
    ended = subprocess.run(["bash", str(GRID)], env=environment, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "DATA=datasets/mine.zip" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_run_in_progress_once_and_ends_the_grid(stub: Path, number: signal.Signals):
    (stub.parent / "do").write_text(
        'case "$*" in *--dry-run*) exit 0;; esac\n'
        "trap 'echo signalled >> signals' TERM\n"
        "touch training; while [ ! -f signals ]; do sleep 0.05; done; sleep 0.2\n"
    )
    grid = start(stub)
    until = time.monotonic() + 20
    while not (stub.parent / "training").exists() and time.monotonic() < until:
        time.sleep(0.02)
    grid.send_signal(number)
    _, err = grid.communicate(timeout=20)
    assert grid.returncode == 130
    assert "the same command goes on" in err
    assert (stub.parent / "signals").read_text() == "signalled\n"
    assert len(calls(stub)) == 2  # the dry run and the one that was stopped


# The real thing: what the script would call, in this process.


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "recipes" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def heldout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 notes as 16x16 canvases, some of them held out."""
    folder = tmp_path_factory.mktemp("grid")
    return build(notes(folder / "notes", count=24), folder / "notes.zip", holdout=0.25)


def carry_out(stub: Path, data: Path, kimg: str) -> tuple[list[str], str]:
    """Do what the script would: return what the trainings printed, and the table."""
    (stub.parent / "calls").unlink(missing_ok=True)
    variables = {"DATA": str(data), "OUT": str(stub.parent / "out"), "KIMG": kimg, "PRESET": "tiny", "SOUNDS": "8"}
    grid = start(stub, *NARROW, "--tick=0.008", "--snap=1", "--aug=noaug", "--workers=0", **variables)
    grid.communicate(timeout=20)
    _, *cells, table = (line.split() for line in calls(stub))
    nothing = dict.fromkeys(TINY)
    told = [call(*words[1:], **nothing) for words in cells]
    assert load("grid_table").main([*table[1:], "--device=cpu"]) == 0
    return told, (stub.parent / "out" / "grid.md").read_text()


def test_a_grid_is_trained_once_scored_once_and_goes_further_where_it_is_asked_to(stub: Path, heldout: Path):
    out = stub.parent / "out"
    _, page = carry_out(stub, heldout, "0.008")
    runs = sorted(path.name for path in out.iterdir() if path.is_dir())
    expected = [(rate, gamma) for rate in (".001", ".002") for gamma in (1, 10)]
    assert runs == [
        f"{at:05d}-stylegan2-notes-gpus1-batch8-gamma{gamma}-lr{rate}" for at, (rate, gamma) in enumerate(expected)
    ]
    rows = re.findall(r"^\| (0\.00[12]) \| (1|10) \| (\d\S*) \| (.*) \|$", page, flags=re.M)
    assert sorted((rate, gamma) for rate, gamma, *_ in rows) == [(f"0{rate}", str(gamma)) for rate, gamma in expected]
    assert "| train sounds |" in page
    assert all(float(figure) for _, _, _, rest in rows for figure in rest.split(" | ")[:3])
    plot = (out / "grid.svg").read_text()
    assert plot.count("<polyline") == 4
    assert all(f"lr 0{rate}, gamma {gamma}" in plot for rate, gamma in expected)

    written = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.suffix not in (".md", ".svg")}
    again, page_again = carry_out(stub, heldout, "0.008")
    assert all("--kimg=0.008 is reached already" in one for one in again)
    assert page_again == page
    assert written == {path: path.stat().st_mtime_ns for path in written}

    carry_out(stub, heldout, "0.016")
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == runs
    snapshots = {path.read_bytes() for path in out.rglob("network-snapshot-*")}  # the untrained ones are equal
    assert len(json.loads((out / "grid_scores.json").read_text())) == 2 + len(snapshots)


def test_without_held_out_sounds_the_table_says_against_what_it_scores(stub: Path, archive: Path):
    _, page = carry_out(stub, archive, "0")
    assert "against train sounds: nothing is held out" in page


def test_the_table_refuses_a_folder_without_runs_in_one_line(tmp_path: Path, archive: Path, capsys):
    assert load("grid_table").main([str(tmp_path), f"--data={archive}"]) == 2
    assert "no run with a snapshot" in capsys.readouterr().err


@pytest.mark.slow
def test_the_script_itself_trains_four_cells_and_again_none(tmp_path: Path, heldout: Path):
    environment = {**os.environ, **CELLS, "DATA": str(heldout), "OUT": str(tmp_path), "PYTHON": sys.executable}
    environment |= {"PRESET": "tiny", "KIMG": "0.008", "SOUNDS": "8", "OMP_NUM_THREADS": "1"}
    for _ in range(2):
        command = ["bash", str(GRID), *NARROW, "--tick=0.008", "--snap=1"]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 4
    assert "is reached already" in ended.stdout
