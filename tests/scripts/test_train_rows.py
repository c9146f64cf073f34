# SPDX-License-Identifier: Apache-2.0
"""train.py --input-lock, --row-features and --row-gains: chosen, saved, trained, resumed, generated from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import gen_audio
from patches.runs import tensorfile
from patches.transfer import channel_axes, transfer
from stylegan3.networks import GeneratorSpec, build_generator
from tests.patches.runs.support import archive, call, only_run, resolved

__all__ = ["archive"]

CHOSEN = {"input_lock": "both", "row_features": 3, "row_gains": 2}
SMALL = {"cfg": "stylegan3-t", "batch": 4, "batch_gpu": 4, "kimg": 0.004, "aug": "noaug", **CHOSEN}


def test_a_run_keeps_its_rows_and_a_snapshot_makes_sounds_with_them(tmp_path: Path, archive: Path) -> None:
    settings = {**SMALL, "data": archive, "outdir": tmp_path / "runs"}
    said = call(**settings)
    for name, value in CHOSEN.items():
        assert f"--{name.replace('_', '-'):<12} {value}" in said
    run = only_run(tmp_path / "runs")
    saved = json.loads((run / "training_options.json").read_text())
    assert {name: saved["options"][name] for name in CHOSEN} == CHOSEN
    snapshot = run / "network-snapshot-000000.004.safetensors"
    tensors, header = tensorfile.load(snapshot)
    assert {name: header["generator"][name] for name in CHOSEN} == CHOSEN
    assert tensors["G_ema.synthesis.rows.profiles"].abs().max() > 0
    assert tensors["G_ema.synthesis.gains.profiles"].shape == (2, 16)
    made = CliRunner().invoke(gen_audio.main, [f"--network={snapshot}", f"--outdir={tmp_path / 'new'}", "--seeds=0"])
    assert made.exit_code == 0, made.output
    assert (tmp_path / "new/seed0000.wav").exists()


def test_a_preset_bears_them_and_what_they_are_not_for_is_refused(tmp_path: Path, archive: Path) -> None:
    given = {"outdir": "runs", "data": "x.zip", "cfg": None}
    options = resolved(**given, preset="paper", **CHOSEN).options
    assert {name: getattr(options, name) for name in CHOSEN} == CHOSEN
    assert "stylegan2 begins with a constant" in call("--input-lock=both", code=2, data=archive, outdir=tmp_path)
    assert "give --row-gains" in call("--row-features=2", code=2, data=archive, outdir=tmp_path)


@pytest.mark.parametrize("kind", ["stylegan2", "stylegan3-t"])
@torch.no_grad()
def test_fine_tuning_from_a_network_without_rows_begins_with_its_pictures(kind: str) -> None:
    spec = GeneratorSpec(kind, (2, 16, 16), 8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=4)
    rows = replace(spec, row_gains=2, **({} if kind == "stylegan2" else {"row_features": 3, "input_lock": "both"}))
    source, target = (build_generator(s, torch.Generator().manual_seed(n)) for n, s in enumerate((spec, rows)))
    carried = transfer(source, target)
    assert {name.split(".")[1] for name in carried.fresh} <= {"rows", "gains"}
    target.load_state_dict(carried.state)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(3))
    assert torch.equal(target(z), source(z))
    assert not [name for name in channel_axes(target) if "gains" in name]  # no business of the output's level
