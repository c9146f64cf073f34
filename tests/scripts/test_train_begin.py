# SPDX-License-Identifier: Apache-2.0
"""Runs that begin with other weights: ours, or a snapshot of the reference; a hostile one is refused."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from patches.runs import tensorfile
from tests.patches.runs.support import archive, call, larger, only_run
from tests.stylegan3.test_legacy import write

__all__ = ["archive", "larger", "write"]

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
NOTHING = dict.fromkeys(("cfg", "batch", "gamma", "cbase", "cmax", "batch_gpu", "map_depth", "kimg", "device"))
WIDTHS = {"cbase": 512, "cmax": 24}  # of the reference's small networks


@pytest.fixture
def source(tmp_path, archive) -> Path:
    """A run of ours, a little trained."""
    call(outdir=tmp_path / "source", data=archive, kimg=0.016, tick=0.016, snap=1)
    return only_run(tmp_path / "source")


def tensors(run: Path, number: str, network: str) -> dict[str, torch.Tensor]:
    return tensorfile.load(run / f"training-state-{number}.safetensors", f"{network}.")[0]


@pytest.mark.parametrize(
    "what", ["", "training-state-000000.016.safetensors", "network-snapshot-000000.016.safetensors"]
)
def test_finetuning_is_a_new_run_that_begins_with_the_weights(source, archive, tmp_path, what):
    told = call(outdir=tmp_path / "out", data=archive, finetune=source / what, seed=5, kimg=0.008, tick=0.008)
    run = only_run(tmp_path / "out")
    assert f"Fine-tuning: a new run that begins with the weights of {source / what}" in told
    for name in ("G", "D", "G_ema"):
        assert f"  {name}: {len(tensors(run, '000000', name))} tensors transferred, 0 adapted, 0 fresh" in told
        mine, theirs = tensors(run, "000000", name), tensors(source, "000000.016", name)
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    assert tensorfile.read_header(run / "training-state-000000.safetensors")["images"] == 0
    assert "Output level" not in told
    assert "note: " not in told


def test_a_snapshot_alone_gives_g_both_its_places_and_leaves_d_fresh(source, archive, tmp_path):
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((source / "network-snapshot-000000.016.safetensors").read_bytes())
    told = call(outdir=tmp_path / "out", data=archive, finetune=alone, kimg=0.008, tick=0.008)
    assert "  D: not in the file, starts fresh" in told
    run = only_run(tmp_path / "out")
    assert torch.equal(
        tensors(run, "000000", "G")["mapping.layers.0.weight"],
        tensors(source, "000000.016", "G_ema")["mapping.layers.0.weight"],
    )


def test_the_same_line_starts_a_finetuning_and_continues_it(source, archive, tmp_path):
    options = {"outdir": tmp_path / "out", "data": archive, "finetune": source, "resume": "auto", "tick": 0.008}
    assert "Fine-tuning" in call(**options, kimg=0.008)
    told = call(**options, kimg=0.016)
    assert "Resuming " in told
    assert "tensors transferred" not in told
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_network_of_another_size_is_told_tensor_by_tensor(source, larger, tmp_path):
    told = call(outdir=tmp_path / "out", data=larger, finetune=source, kimg=0.008, tick=0.008)
    assert "tensors transferred" in told
    assert "  fresh D.blocks." in told


def test_a_network_of_another_kind_is_refused(source, archive, tmp_path):
    told = call(code=2, outdir=tmp_path / "out", data=archive, finetune=source, cfg="stylegan3-t", map_depth=2)
    assert "the source is stylegan2, this run stylegan3-t" in told
    assert not (tmp_path / "out").exists()


def test_a_source_that_saw_another_view_is_told(source, archive, tmp_path):
    told = call(outdir=tmp_path / "out", data=archive, finetune=source, scaling="linear")
    assert (
        "note: the source learned the view cmyk with compand scaling at 8000 Hz, "
        "this run learns the view cmyk with linear scaling at 8000 Hz"
    ) in told


# A snapshot of the reference


def reference(name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A recorded network, cut to 3 image channels."""
    path = REFERENCE / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not among the test data")
    with np.load(path) as data:
        config = json.loads(str(data["config"])) | {"img_channels": 3}
        state = {key[6:]: torch.from_numpy(data[key]) for key in data if key.startswith("state/")}
    for key, value in state.items():
        if "torgb." in key and "affine" not in key and value.ndim:
            state[key] = value[:3].clone()
    if "b32.fromrgb.weight" in state:
        state["b32.fromrgb.weight"] = state["b32.fromrgb.weight"][:, :3].clone()
    return config, state


def test_a_pkl_finetunes_a_run_of_four_channels_and_says_what_went_over(write, larger, tmp_path):
    g, d = reference("stylegan2-32"), reference("discriminator-32")
    path = write({"G": ("Generator", *g), "D": ("Discriminator", *d), "G_ema": ("Generator", *g)})
    told = call(outdir=tmp_path / "out", data=larger, resume=path, cond=1, kimg=0.008, tick=0.008, **WIDTHS)
    run = only_run(tmp_path / "out")
    assert f"Fine-tuning: a new run that begins with the weights of {path}" in told
    assert "  D: " in told
    assert "1 adapted" in told
    assert "  adapted D.entry.weight: 3 channels kept, 1 more = their mean x " in told
    assert "  fresh G.mapping.layers.0.weight: " in told  # the recorded network's z is shorter
    assert "adapted G.synthesis.blocks." in told
    entry = tensors(run, "000000", "D")["entry.weight"]
    assert entry.shape[1] == 4
    assert torch.equal(entry[:, :3], d[1]["b32.fromrgb.weight"])
    saved = json.loads((run / "training_options.json").read_text())["options"]
    assert saved["finetune"] == str(path)
    call(resume=run, **{**NOTHING, "kimg": "+0.008"})


class Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def test_a_hostile_pkl_is_refused_by_name_and_nothing_is_created(archive, tmp_path):
    path, created = tmp_path / "x.pkl", tmp_path / "created"
    path.write_bytes(pickle.dumps({"G": Hostile(created), "D": None, "G_ema": Hostile(created)}))
    for option in ("resume", "finetune"):
        told = call(code=2, outdir=tmp_path / "out", data=archive, **{option: path})
        assert "system" in told
        assert str(path) in told
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.pkl"]


def test_a_pkl_that_is_none_is_refused_in_one_line(archive, tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(b"text")
    assert str(path) in call(code=2, outdir=tmp_path / "out", data=archive, resume=path)
    assert not (tmp_path / "out").exists()
