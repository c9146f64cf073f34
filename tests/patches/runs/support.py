# SPDX-License-Identifier: Apache-2.0
"""Tiny archives, tiny runs: notes made here, turned into 16x16 canvases by dataset_tool_wav.py, learned by train.py."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

import dataset_tool_wav
import train
from patches.runs.options import NAMES, Resolved, resolve

ROOT = Path(__file__).parents[3]
RATE = 8000
TINY = {
    "cfg": "stylegan2",
    "view": "cmyk",
    "batch": 8,
    "gamma": 1.0,
    "cbase": 32,
    "cmax": 8,
    "map_depth": 1,
    "device": "cpu",
    "kimg": 0.008,
    "batch_gpu": 8,
}
SECOND_CLASS = "pluck"


def notes(folder: Path, count: int = 16, samples: int = 2 * 16 * 16) -> Path:
    """Write decaying notes, the first half as pads, the second as plucks."""
    rng = np.random.default_rng(0)
    t = np.arange(samples) / RATE
    for i in range(count):
        kind = ("pad", SECOND_CLASS)[2 * i // count]
        tone = np.sin(2 * np.pi * 200 * 2 ** rng.uniform(0, 3) * t + rng.uniform(0, 6))
        sound = 0.4 * tone * np.exp(-t * (5 if kind == "pad" else 60))
        path = folder / kind / f"{i:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.stack([sound, sound * rng.uniform(0.3, 1)], axis=1), RATE)
    return folder


def build(source: Path, dest: Path, resolution: str = "16x16", labels: str = "folders", **more: Any) -> Path:
    """Run dataset_tool_wav.py in this process."""
    former = signal.getsignal(signal.SIGTERM)
    options = {"source": source, "dest": dest, "resolution": resolution, "sample-rate": RATE, "labels": labels}
    options |= {name.replace("_", "-"): value for name, value in more.items()}
    try:
        result = CliRunner().invoke(
            dataset_tool_wav.main, [*(f"--{name}={value}" for name, value in options.items()), "--workers=1"]
        )
    finally:
        signal.signal(signal.SIGTERM, former)
    assert result.exit_code == 0, result.output
    return dest


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 notes of two classes as 16x16 canvases."""
    folder = tmp_path_factory.mktemp("archive")
    return build(notes(folder / "notes"), folder / "notes.zip")


@pytest.fixture(scope="session")
def unlabelled(archive: Path) -> Path:
    """The same without labels, fewer."""
    folder = archive.parent
    return build(folder / "notes" / "pad", folder / "unlabelled.zip", labels="none")


@pytest.fixture(scope="session")
def larger(archive: Path) -> Path:
    """The same as 32x32 canvases."""
    folder = archive.parent
    return build(folder / "notes", folder / "larger.zip", resolution="32x32")


def flags(**options: Any) -> list[str]:
    """Options as train.py takes them; None leaves one out, and so does nothing said of the tiny ones."""
    chosen = {**TINY, **options}
    return [f"--{name.replace('_', '-')}={value}" for name, value in chosen.items() if value is not None]


def resolved(**options: Any) -> Resolved:
    """Resolve options as train.py would."""
    chosen = {**TINY, **options}
    preset, own = chosen.pop("preset", None), chosen.pop("own", None)
    assert set(chosen) <= set(NAMES)
    return resolve({name: chosen.get(name) for name in NAMES}, preset, own)


def call(*arguments: str, code: int = 0, **options: Any) -> str:
    """Run train.py in this process; return what it printed, or the one line in which it refused."""
    result: Result = CliRunner().invoke(train.main, [*flags(**options), *arguments])
    assert result.exit_code == code, f"{result.output[-1000:]}\n{result.exception!r}"
    if code == 0:
        return result.stdout
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("train.py: ")
    assert "Traceback" not in result.output
    return result.stderr


def start(folder: Path, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
    """Start `python train.py` as a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *flags(**options), *arguments], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    """Wait for its end and return what it printed."""
    out, _ = process.communicate(timeout=120)
    assert process.returncode == code, out
    return out


def lines(process: "subprocess.Popen[str]") -> Iterator[str]:
    """Yield what a process prints, line by line."""
    assert process.stdout is not None
    for line in process.stdout:  # noqa: UP028 ("yield from" would close the pipe with the generator)
        yield line


def only_run(outdir: Path) -> Path:
    """Return the one run in a folder."""
    (run,) = [path for path in outdir.iterdir() if path.is_dir()]
    return run
