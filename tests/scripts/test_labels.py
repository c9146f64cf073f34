# SPDX-License-Identifier: Apache-2.0
"""Labels from the files' names to the sounds asked for: dataset_tool_wav.py, train.py --cond, gen_audio.py."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import dataset_tool_wav
import gen_audio
from patches.runs import tensorfile
from spect.archive.reader import Archive
from tests.patches.generate.support import save_snapshot
from tests.patches.runs.support import RATE, call, only_run


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pads and plucks at four pitches, and what they feel like."""
    folder = tmp_path_factory.mktemp("labels") / "sounds"
    folder.mkdir()
    t, rng, rows = np.arange(512) / RATE, np.random.default_rng(0), ["file,warmth,hue"]
    for n in range(16):
        name = f"{('pad', 'pluck')[n % 2]}_{('C4', 'E4', 'G4', '072')[n // 2 % 4]}"
        path = folder / str(n) / f"{name}.wav"
        path.parent.mkdir()
        soundfile.write(path, 0.4 * np.sin(2 * np.pi * rng.uniform(200, 900) * t), RATE)
        rows.append(f"{n}/{name}.wav,{n / 10},{'' if n == 3 else n}")
    (folder.parent / "mood.csv").write_text("\n".join(rows))
    return folder


def dataset(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(dataset_tool_wav.main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.stdout if code == 0 else result.stderr


@pytest.fixture(scope="module")
def archive(sounds: Path) -> Path:
    dest = sounds.parent / "notes.zip"
    told = dataset("--source", sounds, "--dest", dest, "--resolution=16x16", f"--sample-rate={RATE}", "--workers=1",
                   "--label-pattern=note", "--vectors", sounds.parent / "mood.csv")  # fmt: skip
    assert "  label instrument  2: pad 8, pluck 8" in told
    assert "  label pitch       4: 60 4, 64 4, 67 4, 72 4" in told
    assert "  label mood        2 numbers a file (warmth, hue)" in told
    return dest


@pytest.fixture(scope="module")
def run(archive: Path) -> Path:
    out = archive.parent / "runs"
    told = call(outdir=out, data=archive, cond="instrument,pitch:value,mood", z_dim=8, w_dim=12, embed_dim=6, snap=1)
    assert "16 pictures of 4x16x16, a condition of 7 numbers; device: cpu" in told
    assert "  condition instrument: 2 classes (pad, pluck)" in told
    assert "  condition pitch: a value, 60 to 72 (mean 65.75, deviation " in told
    assert "  condition mood: 2 values; 1 pictures have none" in told
    return only_run(out)


def generate(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(gen_audio.main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    if code:
        assert result.stderr.count("\n") == 1
    return result.stdout if code == 0 else result.stderr


def sound(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def test_the_archive_and_the_snapshot_tell_what_was_learned(archive, run):
    assert [one.name for one in Archive.open(archive).label_sets] == ["instrument", "pitch", "mood"]
    header = tensorfile.read_header(next(run.glob("network-snapshot-*.safetensors")))
    assert [one["name"] for one in header["conditions"]] == ["instrument", "pitch", "mood"]
    generator = header["generator"]
    assert [generator[name] for name in ("c_dim", "z_dim", "w_dim", "embed_dim")] == [7, 8, 12, 6]
    assert header["discriminator"]["embed_dim"] == 6
    tensors = tensorfile.load(next(run.glob("training-state-*.safetensors")))[0]
    assert tensors["G.mapping.embed.weight"].shape == (6, 7)
    assert tensors["D.labels.embed.weight"].shape == (6, 7)
    assert tensors["G.mapping.layers.0.weight"].shape == (12, 8 + 6)


def test_a_run_of_conditions_goes_on_and_refuses_others(run, archive):
    nothing = dict.fromkeys(("cfg", "batch", "gamma", "cbase", "cmax", "batch_gpu", "map_depth", "device"))
    assert "is reached already" in call(resume=run, **{**nothing, "kimg": 0.008})
    told = call(code=2, resume=run, **{**nothing, "kimg": 0.016, "cond": "instrument"})
    assert "--cond is instrument,pitch:value,mood, not instrument" in told


def test_conditions_change_the_sound_and_replay_to_the_bit(run, tmp_path):
    asked = {
        "pad": ["--class", "pad", "--pitch", "64", "--value", "warmth=1"],
        "mix": ["--class", "pad:0.7,pluck:0.3", "--pitch", "E4", "--value", "warmth=1"],
        "high": ["--class", "pad", "--pitch", "72", "--value", "mood.warmth=1"],
    }
    for name, options in asked.items():
        generate("--network", run, "--outdir", tmp_path / name, "--seeds=0,1", *options)
    waves = {name: next((tmp_path / name).glob("seed0001*.wav")) for name in asked}
    assert waves["mix"].name.startswith("seed0001_instrument-pad0.7+pluck0.3_pitch-64_mood-")
    assert not np.array_equal(sound(waves["pad"]), sound(waves["mix"]))
    assert not np.array_equal(sound(waves["pad"]), sound(waves["high"]))
    recipe = json.loads(waves["mix"].with_name(waves["mix"].name[:-3] + "json").read_text())
    assert recipe["version"] == 3
    assert recipe["condition"]["instrument"] == {"pad": 0.7, "pluck": 0.3}
    assert recipe["condition"]["pitch"] == [64.0]
    for wav in waves.values():
        generate("--network", run, "--outdir", tmp_path / "again", "--recipe", wav)
        assert (tmp_path / "again" / wav.name).read_bytes() == wav.read_bytes()
    assert "a --recipe says it already" in generate(
        "--network", run, "--outdir", tmp_path, "--recipe", waves["pad"], "--pitch=60", code=2
    )


def test_a_vector_is_taken_whole(run, tmp_path):
    np.save(tmp_path / "v.npy", np.array([0.5, 12], np.float32))
    told = generate("--network", run, "--outdir", tmp_path, "--seeds=0", "--class=pad", "--vector", tmp_path / "v.npy")
    assert "pitch wasn't given: its mean, 65.75" in told
    (recipe,) = tmp_path.glob("*.json")
    assert json.loads(recipe.read_text())["condition"]["mood"] == [0.5, 12.0]
    refused = generate("--network", run, "--outdir", tmp_path, "--seeds=0", "--class=pad",
                       "--vector", f"pitch={tmp_path / 'v.npy'}", code=2)  # fmt: skip
    assert "holds 2 numbers; pitch takes 1, mood takes 2" in refused


def test_all_classes_of_each_seed_make_a_table(tmp_path):
    drums = save_snapshot(tmp_path / "network-snapshot-000002.safetensors", classes=("kick", "snare", "hat"))
    told = generate("--network", drums, "--outdir", tmp_path / "out", "--seeds=0-1", "--class=all")
    assert told.count("6 sounds") == 1
    names = sorted(path.name for path in (tmp_path / "out").glob("*.wav"))
    assert names == [f"seed000{seed}_c{index}.wav" for seed in (0, 1) for index in range(3)]
    assert (tmp_path / "out" / "table_all.png").is_file()


def test_a_mix_lies_between_its_classes(tmp_path):
    drums = save_snapshot(tmp_path / "network-snapshot-000002.safetensors", classes=("kick", "snare"))
    for text in ("kick:1,snare:0.0001", "kick"):
        generate("--network", drums, "--outdir", tmp_path / "out", "--seeds=0", "--class", text, "--subtype=FLOAT")
    kick = sound(tmp_path / "out" / "seed0000_c0.wav")
    (near,) = (sound(path) for path in (tmp_path / "out").glob("seed0000_kick*.wav"))
    assert 0 < np.abs(near - kick).max() < 1e-2 * np.abs(kick).max()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--label-pattern=(?P<x>zzz)"], "none of the 16 files matches"),
        (["--labels=smpl"], "none of the 16 files carries a pitch"),
        (["--label-pattern=note", "--label-sets=tempo"], "no set tempo; there are instrument, pitch"),
        (["--vectors=gone.npy"], "gone.npy doesn't exist"),
    ],
)
def test_mistakes_with_labels_get_one_line(sounds, tmp_path, options, said):
    told = dataset("--source", sounds, "--dest", tmp_path / "a.zip", *options, code=2)
    assert said in told
    assert told.count("\n") == 1


def test_train_names_sets_that_are_not_there(archive, tmp_path):
    told = call(code=2, outdir=tmp_path, data=archive, cond="tempo")
    assert "has no label set 'tempo'; there is instrument, pitch, mood" in told
    assert "its class 'pad' is no number" in call(code=2, outdir=tmp_path, data=archive, cond="instrument:value")
    assert "must be at least 1" in call(code=2, outdir=tmp_path, data=archive, z_dim=0)
