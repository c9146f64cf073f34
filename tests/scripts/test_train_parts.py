# SPDX-License-Identifier: Apache-2.0
"""--data of several archives: trained on, gone on with, scored against; what doesn't go together is one line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import calc_metrics
import dataset_tool_wav
from patches.data import data_name
from tests.patches.runs.support import build, call, notes, only_run


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """notes.zip, and the same in parts-1.zip and parts-2.zip."""
    folder = tmp_path_factory.mktemp("parts")
    build(notes(folder / "notes", 24), folder / "notes.zip", holdout=0.4)
    done = CliRunner().invoke(
        dataset_tool_wav.main,
        ["--split=1/1", str(folder / "notes.zip"), "--dest", f"{folder / 'part-1.zip'},{folder / 'part-2.zip'}"],
        standalone_mode=False,
    )
    assert done.exception is None
    return folder


def test_a_run_learns_parts_and_goes_on_with_a_pattern_of_them(parts: Path, tmp_path: Path) -> None:
    listed = f"{parts / 'part-1.zip'},{parts / 'part-2.zip'}"
    out = call(outdir=tmp_path, data=listed, cond=1, kimg=0.016, tick=0.008, view="stft", view_args="frames=16")
    run = only_run(tmp_path)
    assert "-part-1+1-" in run.name
    facts = json.loads((run / "training_options.json").read_text())
    whole = call("--dry-run", outdir=tmp_path / "x", data=parts / "notes.zip", cond=1)
    told = next(line for line in whole.splitlines() if line.startswith("Data: "))
    assert told.split(" pictures")[0] in out
    assert facts["data_items"] == int(told.split()[1])
    assert list(parts.glob("part-1.zip+1.view-stft-*.json"))
    pattern = str(parts / "part-*.zip")
    call("--resume=auto", outdir=tmp_path, data=pattern, cond=1, kimg=0.024, tick=0.008, view="stft",
         view_args="frames=16")  # fmt: skip
    assert only_run(tmp_path) == run
    other = call("--resume", str(run), code=2, data=parts / "notes.zip", kimg="+1", **dict.fromkeys((
        "cfg", "view", "batch", "gamma", "cbase", "cmax", "map_depth", "device", "batch_gpu",
    )))  # fmt: skip
    assert "notes.zip is not the data that" in other


def test_scores_are_against_all_parts_as_the_run_had_them(parts: Path, tmp_path: Path) -> None:
    call(outdir=tmp_path, data=parts / "part-?.zip", cond=1)
    (snapshot,) = only_run(tmp_path).glob("network-snapshot-*8.safetensors")
    options = ["--network", str(snapshot), "--device=cpu", "--seeds=0-7", "--metrics=defects"]
    own = CliRunner().invoke(calc_metrics.main, options)
    assert own.exit_code == 0, own.output
    merged = CliRunner().invoke(calc_metrics.main, [*options, "--data", str(parts / "notes.zip")])
    sounds = [out.output.splitlines()[0].split(", ", 1)[1] for out in (own, merged)]
    assert sounds[0] == sounds[1]
    assert "part-1.zip+1, " in own.output


def test_what_does_not_go_together_is_one_line(parts: Path, tmp_path: Path) -> None:
    other = build(parts / "notes", tmp_path / "other.zip", resolution="16x32")
    told = call(code=2, outdir=tmp_path / "runs", data=f"{parts / 'part-1.zip'},{other}")
    assert f"{other} has frames 32, where {parts / 'part-1.zip'} has frames 16" in told
    assert "no such file" in call(code=2, outdir=tmp_path / "runs", data=f"{parts / 'part-1.zip'},none.zip")
    assert "no file has such a name" in call(code=2, outdir=tmp_path / "runs", data=tmp_path / "none*.zip")
    assert not (tmp_path / "runs").exists()


def test_a_run_is_named_by_the_first_or_by_the_pattern() -> None:
    names = {"a/b.zip": "b", "a/b.zip,c.zip,d.zip": "b+2", "data/parts/*.zip": "parts", "data/pop-*.zip": "pop-"}
    assert {data: data_name(data) for data in names} == names
