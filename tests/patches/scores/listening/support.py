# SPDX-License-Identifier: Apache-2.0
"""A listening test of two tiny random networks, and answers to it."""

import json
from pathlib import Path
from typing import Any

import pytest

from patches.scores.listening.__main__ import main
from tests.patches.generate.support import FRAMES, ROWS, save_snapshot
from tests.patches.runs.support import build, notes

CLIPS, REPEATS = 2, 2
WANTED = {
    "secretive/network-snapshot-000010": 1,
    "obscure/network-snapshot-000010": 3,
    "held-out real": 5,
    "real through the representation": 4,
}


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 notes of two classes as 16x32 canvases, some held out."""
    folder = tmp_path_factory.mktemp("sounds")
    source = notes(folder / "notes", 32, 2 * ROWS * FRAMES)
    return build(source, folder / "sounds.zip", f"{ROWS}x{FRAMES}", holdout=0.4)


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A conditional and an unconditional network whose snapshots have one name."""
    folder = tmp_path_factory.mktemp("networks")
    name = "network-snapshot-000010.safetensors"
    return [
        save_snapshot(folder / "secretive" / name, classes=("pad", "pluck"), scale=0.02),
        save_snapshot(folder / "obscure" / name, seed=3, scale=0.02),
    ]


@pytest.fixture(scope="session")
def made(sounds: Path, networks: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test's folder."""
    out = tmp_path_factory.mktemp("listening") / "test"
    assert main(arguments(sounds, networks, out)) == 0
    return out


def arguments(sounds: Path, networks: list[Path], out: Path, *more: str) -> list[str]:
    """The command line that makes it."""
    named = ",".join(str(path) for path in networks)
    chosen = [f"--clips={CLIPS}", f"--repeats={REPEATS}", "--device=cpu", *more]
    return [f"--networks={named}", f"--data={sounds}", f"--out={out}", *chosen]


def key_of(folder: Path) -> dict[str, Any]:
    """The test's key."""
    return json.loads((folder / "key.json").read_text())


def answers_of(key: dict[str, Any], ratings: dict[str, int], listener: str = "ab", **more: Any) -> dict[str, Any]:
    """What the page saves of a listener who rates systems so; clips in the key's order, none twice."""
    trials = [{"clip": clip, "rating": ratings[one["system"]]} for clip, one in key["clips"].items()]
    values = {"kind": "sg3-spect listening answers", "version": 1, "test": key["test"], "listener": listener}
    return {**values, "device": "headphones", "trials": trials, **more}
