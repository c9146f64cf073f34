# SPDX-License-Identifier: Apache-2.0
"""Each preset of a seed from sounds to sounds, at a size of seconds; its commands in docs/presets.md at their own."""

import importlib.util
import json
import re
import shlex
from functools import cache
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import gen_audio
from patches.presets import PRESETS, settings
from patches.runs import tensorfile
from tests.patches.runs.support import RATE, TINY, build, call, notes, only_run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "presets.md").read_text()
SEEDS = [name for name, row in PRESETS.items() if row.sample_rate is not None]
GRIFFIN_LIM = "inverse=griffin-lim,iterations=10,momentum=0"
SMALL = {  # name: archive, the view's parameters, in proportion as at their own size
    "electrogan": ("16x32", f"rows=32,frames=32,hop=33,first=0,samples=1024,{GRIFFIN_LIM}"),
    "electrogan-short": ("8x16", f"rows=16,frames=16,hop=17,first=0,samples=256,{GRIFFIN_LIM}"),
    "digits": ("16x17", "rows=16,frames=16,window=128,hop=32,first=16,samples=512,channels=1"),
    "urbansound": ("16x33", "rows=32,frames=32,window=256,hop=32,first=8,samples=1008,channels=1"),
}
NARROW = {"cbase": 64, "cmax": 8, "batch": 4, "batch_gpu": 4, "kimg": 0.008, "device": "cpu"}


@pytest.mark.parametrize("name", SEEDS)
def test_a_preset_goes_from_sounds_to_new_sounds(tmp_path, name):
    resolution, view_args = SMALL[name]
    data = build(notes(tmp_path / "notes", samples=1000), tmp_path / "notes.zip", resolution)
    given = {**dict.fromkeys(TINY), **NARROW, "view_args": view_args, "tick": 0.008, "snap": 1, "workers": 0}
    call(preset=name, data=data, outdir=tmp_path / "runs", **given)
    run = only_run(tmp_path / "runs")
    options = json.loads((run / "training_options.json").read_text())["options"]
    kept = {key: value for key, value in settings(name).items() if key not in given and value is not None}
    assert {key: options[key] for key in kept} == kept
    header = tensorfile.read_header(run / "network-snapshot-000000.008.safetensors")
    assert (header["generator"]["z_dim"], header["generator"]["c_dim"]) == (PRESETS[name].z_dim, 2 * PRESETS[name].cond)

    out = tmp_path / "out"
    asked = [f"--network={run}", f"--outdir={out}", "--seeds=0-1", "--device=cpu"]
    made = CliRunner().invoke(gen_audio.main, [*asked, *(["--class=pluck"] * PRESETS[name].cond)])
    assert made.exit_code == 0, made.output
    wavs = sorted(out.glob("*.wav"))
    assert len(wavs) == 2
    sounds = [soundfile.read(path)[0] for path in wavs]
    samples = int(re.search(r"samples=(\d+)", view_args)[1])
    assert all(sound.shape == (samples, 2) and np.isfinite(sound).all() for sound in sounds)
    assert all(np.array_equal(sound[:, 0], sound[:, 1]) for sound in sounds)  # the views are mono
    assert not np.array_equal(*sounds)
    assert soundfile.info(wavs[0]).samplerate == RATE


# docs/presets.md


@cache
def script(name: str) -> click.Command:
    spec = importlib.util.spec_from_file_location(f"presets_{Path(name).stem}", ROOT / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def commands(section: str) -> list[list[str]]:
    """The commands of a section, as [script, arguments...]."""
    text = re.split(rf"^## {re.escape(section)}$", PAGE, flags=re.M)[1].split("\n## ")[0]
    lines = [line for block in re.findall(r"```bash\n(.*?)```", text, flags=re.S) for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines]


def test_the_page_has_a_section_for_each_of_the_seeds_presets_and_their_costs():
    assert re.findall(r"^## (\S+)$", PAGE, flags=re.M) == SEEDS
    rows = re.findall(
        r"^\| `(\S+)` \| (\w+) \S+ \| \S+ s at (\d+) Hz \| (\S+) \| (\S+) GB \| (\S+) on (.+) \|$", PAGE, flags=re.M
    )
    assert [row[0] for row in rows] == SEEDS
    for name, view, rate, resolution, memory, seconds, machine in rows:
        row = PRESETS[name]
        assert (row.view, row.sample_rate, row.resolution) == (view, int(rate), resolution)
        assert (row.memory_gb, row.s_per_kimg, row.measured_on) == (float(memory), float(seconds), machine)


@pytest.mark.parametrize("section", [*SEEDS, "Archives for the baselines to come"])
def test_the_scripts_understand_every_command_of_the_page(section):
    found = commands(section)
    three = ["dataset_tool_wav.py", "train.py", "gen_audio.py"]
    assert [name for name, *_ in found] == (three if section in SEEDS else three[:1] * 2)
    for name, *arguments in found:
        assert not script(name).make_context(name, list(arguments)).args


@pytest.mark.parametrize("name", SEEDS)
def test_a_presets_commands_run_as_printed_at_their_own_size(tmp_path, monkeypatch, name):
    dataset, training, generation = commands(name)
    assert PRESETS[name].archive_options.split() == [
        word for word in dataset if word.startswith(("--resolution", "--sample-rate", "--labels"))
    ]
    assert f"--preset={name}" in training
    data = next(word.removeprefix("--data=") for word in training if word.startswith("--data="))
    assert f"--dest={data}" in dataset
    assert f"--network={training[-1].removeprefix('--outdir=')}" in generation

    monkeypatch.chdir(tmp_path)
    notes(tmp_path / "notes", count=2, samples=RATE)
    (tmp_path / data).parent.mkdir()
    options = dict(word.removeprefix("--").split("=") for word in PRESETS[name].archive_options.split())
    build(tmp_path / "notes", tmp_path / data, **{"labels": "none", **options})
    told = CliRunner().invoke(script("train.py"), [*training[1:], "--dry-run", "--device=cpu", "--batch-gpu=4"])
    assert told.exit_code == 0, told.output
    shape = re.search(rf"^\| `{name}` \| \w+ (\S+) \|", PAGE, flags=re.M)
    assert f"Data: 2 pictures of {shape[1]}, {2 if PRESETS[name].cond else 0} classes" in told.stdout
