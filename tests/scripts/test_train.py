# SPDX-License-Identifier: Apache-2.0
"""train.py as a person calls it: what a run leaves, what is refused and how, the paper's command as printed."""

import json
import os
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from PIL import Image

import gen_audio
import train
from patches.runs import tensorfile
from patches.series import SERIES
from tests.patches.runs.support import (
    RATE,
    archive,
    build,
    call,
    finish,
    flags,
    larger,
    notes,
    only_run,
    start,
    unlabelled,
)

__all__ = ["archive", "larger", "unlabelled"]

PAPER = (
    "--outdir=trained_networks/europa_net2 --gpus=1 --batch=8 --gamma=8 --data=datasets/europa.zip "
    "--cfg=stylegan3-t --kimg=10 --tick=1 --snap=1 --metrics=None"
)
NARROW = {
    "cfg": None,
    "batch_gpu": None,
    "kimg": None,
    "batch": None,
    "gamma": None,
    "cbase": 64,
    "cmax": 8,
    "map_depth": None,
}


NUMBERS = ("000000", "000000.080", "000000.120")


@pytest.fixture
def europa(tmp_path, archive, monkeypatch) -> Path:
    """A folder with datasets/europa.zip, as the paper's command expects it."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/europa.zip").write_bytes(archive.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def run(tmp_path_factory, archive) -> Path:
    """A run of three ticks, a snapshot every second one, conditional."""
    outdir = tmp_path_factory.mktemp("out")
    told = call(outdir=outdir, data=archive, batch_gpu=None, cond=1, kimg=0.12, tick=0.04, snap=2, desc="my notes")
    run = only_run(outdir)
    (run / "told").write_text(told)
    return run


def rows(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]


def test_a_run_is_named_by_its_options(run):
    assert run.name == "00000-stylegan2-notes-gpus1-batch8-gamma1-my_notes"


def test_a_run_leaves_all_its_files(run):
    names = {path.name for path in run.iterdir()} - {"told"}
    events = {name for name in names if name.startswith("events.out.tfevents.")}
    assert len(events) == 1
    assert names - events == {
        "training_options.json", "log.txt", "stats.jsonl", "reals.png", "reals",
        *(f"fakes{number}.{kind}" for number in NUMBERS for kind in ("png", "wav")),
        *(f"{kind}-{number}.safetensors" for number in NUMBERS for kind in ("network-snapshot", "training-state")),
    }  # fmt: skip
    assert not [path for path in run.rglob("*") if path.name.startswith(".")]
    assert len(list((run / "reals").iterdir())) == 16


def test_sheets_can_be_seen_and_heard(run):
    with Image.open(run / "fakes000000.120.png") as picture:
        assert min(picture.size) >= 4 * 16
    info = soundfile.info(run / "fakes000000.120.wav")
    assert (info.samplerate, info.channels) == (RATE, 2)
    real, _ = soundfile.read(run / "reals/0000.wav")
    assert len(real) == 2 * 16 * 16
    assert 0.05 < np.abs(real).max() < 0.5


def test_a_tick_is_one_aligned_line_with_speed_and_time_left(run):
    told = (run / "log.txt").read_text().splitlines()
    ticks = [line for line in told if line.startswith("tick ")]
    assert len(ticks) == 3
    assert len({line.index("GB") for line in ticks}) == 1
    for line in ticks:
        assert all(
            word in line for word in (" s/kimg ", " left ", " r1 ", " sign ", " p ", " level ", " div ", " silent ")
        )
    assert told == [line for line in (run / "told").read_text().splitlines() if line in told]


def test_a_network_that_is_too_loud_is_said_so_in_the_line_and_of_the_sheet(tmp_path, archive):
    unlevelled = "float32-canvases,view,sound-augmentation,sound-previews"
    call(outdir=tmp_path, data=archive, patches=unlevelled, kimg=0.008, tick=0.008, workers=0)
    run = only_run(tmp_path)
    told = (run / "log.txt").read_text()
    assert "LOOK: the level drifts: +" in told
    assert "fakes000000: the sheet's sounds are lowered by" in told
    assert json.loads((run / "training_options.json").read_text())["patches"] == unlevelled.split(",")


def test_stats_hold_losses_scores_signs_p_r1_times_memory_and_health(run):
    found = rows(run)
    assert [(row["tick"], row["images"]) for row in found] == [(1, 40), (2, 80), (3, 120)]
    for row in found:
        assert row["kimg"] == row["images"] / 1000
        assert row["s_per_kimg"] > 0
        assert 0 <= row["data_seconds"] <= row["seconds"] <= row["total_seconds"]
        assert 0.1 < row["memory_gb"] < 64
        assert {"p", "level_db", "diversity", "silent", "nonfinite", "G_loss", "D_loss", "sign"} <= row.keys()
        assert {"Loss/scores/real", "Loss/scores/fake", "Loss/signs/real", "Loss/signs/fake"} <= row["stats"].keys()
    assert found[0]["r1"] > 0  # iterations 0 and 16 have the penalty, of 5 a tick
    assert found[1]["r1"] is None
    assert found[-1]["p"] > 0


def test_tensorboard_gets_scalars_pictures_and_sounds(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run), size_guidance={"images": 0, "audio": 0})
    events.Reload()
    tags = events.Tags()
    assert tags["images"] == ["reals", "fakes"]
    assert tags["audio"] == ["reals", "fakes"]
    assert {"Run/p", "Run/s_per_kimg", "Run/memory_gb", "Loss/G/loss", "Loss/r1 penalty"} <= set(tags["scalars"])
    assert [event.step for event in events.Images("fakes")] == [0, 80, 120]
    assert [event.step for event in events.Scalars("Loss/D/loss")] == [40, 80, 120]
    sound = events.Audio("fakes")[0]
    assert sound.sample_rate == RATE


def test_options_are_saved_with_their_reasons_and_the_patches(run):
    saved = json.loads((run / "training_options.json").read_text())
    assert saved["options"]["batch"] == 8
    assert saved["options"]["batch_gpu"] == 8
    assert saved["reasons"]["batch_gpu"].startswith("8 of 8 pictures at a time: about ")
    assert saved["patches"] == list(SERIES)
    assert set(saved["augmentations"]) == {"polarity", "gain", "width", "swap", "pan", "shift"}


def test_a_snapshots_header_tells_all_that_generation_needs(run):
    header = tensorfile.read_header(run / "network-snapshot-000000.120.safetensors")
    assert header["version"] == 1
    assert header["kind"] == "network"
    assert header["classes"] == ["pad", "pluck"]
    assert header["images"] == 120
    assert header["view"]["scaling"]["name"] == "compand"
    assert header["generator"]["c_dim"] == 2
    assert header["program"].startswith("sg3-spect ")
    assert not any(word in json.dumps(header) for word in (str(run.parent), "time", os.uname().nodename))
    state = tensorfile.read_header(run / "training-state-000000.120.safetensors")
    assert (state["kind"], state["pruned"], state["version"]) == ("training-state", False, 1)


def test_a_snapshot_makes_sounds_with_nothing_else(run, tmp_path):
    network = run / "network-snapshot-000000.120.safetensors"
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(network.read_bytes())
    result = CliRunner().invoke(
        gen_audio.main, ["--network", str(alone), "--outdir", str(tmp_path), "--seeds=0", "--class=pluck"]
    )
    assert result.exit_code == 0, result.output
    assert soundfile.info(tmp_path / "seed0000_c1.wav").samplerate == RATE


# What is refused, in one line, before anything is written


@pytest.fixture
def refuse(tmp_path, archive):
    """Call train.py with options that it must refuse, and see that nothing was made."""

    def refuse(*arguments: str, **options: object) -> str:
        told = call(*arguments, code=2, **{"outdir": tmp_path / "out", "data": archive, **options})
        assert not (tmp_path / "out").exists()
        return told

    return refuse


def test_an_archive_that_is_none_is_refused_by_what_it_is(refuse, tmp_path):
    assert "no such file" in refuse(data=tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("not a zip")
    assert "text.zip" in refuse(data=tmp_path / "text.zip")
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    assert "a.png" in refuse(data=tmp_path / "a.png")
    assert "--data=" in refuse(data=tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gamma": None}, "--gamma: missing"),
        ({"batch": 6}, "--batch=6: must be a multiple of the minibatch-stddev group 4; give --batch=8"),
        ({"batch": 16, "batch_gpu": 12}, "--batch-gpu=12: must divide --batch=16"),
        ({"mirror": 1}, "a sound played backwards is another sound"),
        ({"cfg": "stylegan4"}, "--cfg=stylegan4: must be one of stylegan2, stylegan3-t, stylegan3-r"),
        ({"cbase": 8}, "channel_base 8: at least 16"),
        ({"augs": "flip"}, "flip"),
        ({"view": "melon"}, "--view: got 'melon'; allowed: auto, cmyk, instfreq"),
        ({"view": "stft", "view_args": "hop=3"}, "view stft: it has no parameter 'hop'; allowed: rows"),
        ({"view": "stereo", "view_args": "rows=32,frames=48"}, "--view=stereo: its pictures are 4x32x48 here"),
        ({"view": "wave"}, "--view=wave: its pictures are 2x1x"),
        ({"scaling": "log"}, "--scaling: got 'log'; allowed: auto, compand, linear, standard"),
        ({"scaling": "standard"}, "--scaling: got 'standard'; allowed with the view cmyk: compand, linear"),
        ({"patches": "sound,more"}, "no patch 'sound'"),
        ({"patches": "view,output-level"}, "holds no .png files"),
        ({"patches": "float32-canvases,view", "aug": "fixed"}, "--aug=noaug"),
        ({"device": "tpu"}, "--device=tpu"),
        ({"metrics": "fid50k_full"}, "--metrics=fid50k_full"),
        ({"time_limit": "later"}, "--time-limit=later"),
        ({"kimg": "+5"}, "--kimg=+5: +N adds to a run that is resumed"),
        ({"resume": "none.safetensors"}, "--resume=none.safetensors: no such file"),
        ({"resume": "auto", "kimg": "+5"}, "--kimg=+5"),
        ({"resume": "latest"}, "--resume=latest: no run in"),
        ({"resume": "none.pkl"}, "none.pkl: no such file"),
        ({"finetune": "none"}, "--finetune=none: no such file"),
        ({"finetune": "a", "resume": "b"}, "give one of them"),
        ({"preset": "huge"}, "--preset=huge: must be one of"),
        ({"ops": "quick"}, "--ops=quick: must be one of auto, reference, fused"),
    ],
)
def test_mistakes_get_one_line_with_what_is_allowed(refuse, options, words):
    assert words in refuse(**options)


def test_an_unknown_option_gets_one_line(tmp_path):
    out = finish(start(tmp_path, "--snapshots=5"), code=2)
    assert out.count("\n") == 1
    assert out.startswith("train.py: No such option")
    assert "--snapshots" in out


def test_labels_asked_for_and_absent(refuse, unlabelled):
    assert "has no labels; build it with --labels" in refuse(data=unlabelled, cond=1)


def test_an_unwritable_outdir_is_refused_before_any_work(refuse, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file" in refuse(outdir=tmp_path / "file" / "runs")


def test_a_dry_run_prints_options_with_reasons_and_stops(tmp_path, archive):
    told = call("--dry-run", outdir=tmp_path / "out", data=archive, cfg="stylegan3-t", map_depth=None)
    assert not (tmp_path / "out").exists()
    assert told.splitlines()[-1] == "--dry-run: stopped before any work"
    assert told.count("\nOperations: ") == 1
    assert "--map-depth    2                         (by --cfg=stylegan3-t)" in told
    assert "--tick         4                         (default)" in told
    assert "--batch        8\n" in told
    assert "16 pictures of 4x16x16, 2 classes" not in told
    assert "16 pictures of 4x16x16, 0 classes; device: cpu" in told


def test_debug_shows_the_traceback(tmp_path, archive):
    result = CliRunner().invoke(train.main, [*flags(outdir=tmp_path / "out", data=archive, gamma=None), "--debug"])
    assert "--gamma" in str(result.exception)
    assert result.exit_code == 1


# The paper's command


def test_the_papers_command_is_taken_as_printed(europa):
    result = CliRunner().invoke(train.main, [*shlex.split(PAPER), "--dry-run"])
    assert result.exit_code == 0, result.output
    lines = dict(line.strip()[2:].split(None, 1) for line in result.stdout.splitlines() if line.startswith("  --"))
    assert lines["cbase"].startswith("32768")
    assert lines["batch-gpu"][0] in "48"
    assert "pictures at a time: about" in lines["batch-gpu"]
    assert lines["metrics"] == "None"
    assert "--dry-run" in result.stdout


def test_the_papers_command_runs_on_narrow_networks(europa):
    given = [flag for flag in shlex.split(PAPER) if not flag.startswith(("--kimg", "--tick"))]
    out = finish(start(europa, *given, "--tick=0.008", "--workers=0", **{**NARROW, "kimg": 0.016}))
    run = only_run(europa / "trained_networks/europa_net2")
    assert run.name == "00000-stylegan3-t-europa-gpus1-batch8-gamma8"
    assert [row["images"] for row in rows(run)] == [8, 16]
    assert "\x1b" not in out  # no terminal: plain lines
    assert "\r" not in out


@pytest.mark.parametrize("name", ["paper", "tiny", "quick"])
def test_a_preset_needs_places_alone(tmp_path, archive, name):
    nothing = dict.fromkeys(("cfg", "kimg", "batch", "gamma", "cbase", "cmax", "batch_gpu", "map_depth"))
    told = call("--dry-run", preset=name, outdir=tmp_path / "out", data=archive, **nothing)
    assert f"(from --preset={name})" in told


# Plain pictures


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """Grey 8-bit pictures with labels, in the reference's layout."""
    import zipfile

    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    names = [f"00000/img{i:08d}.png" for i in range(10)]
    with zipfile.ZipFile(folder / "grey.zip", "w", zipfile.ZIP_STORED) as file:
        for name in names:
            Image.fromarray(rng.integers(0, 255, (16, 32), np.uint8)).save(folder / "x.png")
            file.write(folder / "x.png", name)
        file.writestr("dataset.json", json.dumps({"labels": [[name, i % 3] for i, name in enumerate(names)]}))
    return folder / "grey.zip"


def test_without_patches_plain_pictures_are_learned(tmp_path, pictures):
    options = {"outdir": tmp_path, "data": pictures, "patches": "none", "mirror": 1, "cond": 1, "kimg": 0.016}
    told = call(tick=0.008, snap=1, **options)
    assert "Data: 20 pictures of 1x16x32, 3 classes" in told
    assert "--aug          noaug                     (plain pictures have no augmentation here but --mirror)" in told
    run = only_run(tmp_path)
    with Image.open(run / "fakes000000.016.png") as picture:
        assert picture.size == (4 * 32, 4 * 16)
    assert not list(run.glob("*.wav"))
    header = tensorfile.read_header(run / "network-snapshot-000000.016.safetensors")
    assert (header["view"], header["patches"]) == (None, [])
    told = call("--resume=auto", tick=0.008, snap=1, **{**options, "kimg": 0.024})
    assert "Resuming" in told  # the same run, although --aug was chosen


def test_pictures_refuse_an_augmentation_asked_for(tmp_path, pictures):
    told = call(code=2, outdir=tmp_path / "out", data=pictures, patches="none", aug="ada")
    assert "--aug=ada: there is no augmentation for this kind of data; use --aug=noaug" in told


def test_a_sound_archive_is_no_picture_archive(tmp_path, archive):
    assert ".png" in call(code=2, outdir=tmp_path / "out", data=archive, patches="none")


# Small mistakes that must not stay unseen


def test_freezed_layers_stay_as_they_were(tmp_path, archive):
    call(outdir=tmp_path, data=archive, freezed=1, kimg=0.016, tick=0.008, snap=1, workers=0)
    run = only_run(tmp_path)
    first, last = (tensorfile.load(run / f"training-state-{n}.safetensors", "D.")[0] for n in ("000000", "000000.016"))
    still = {name for name in first if torch.equal(first[name], last[name])}
    assert still == {"entry.weight", "entry.bias"}


def test_a_second_run_gets_the_next_number(tmp_path, archive):
    for _ in range(2):
        call(outdir=tmp_path, data=archive, kimg=0.008, tick=0.008, workers=0)
    assert sorted(path.name[:5] for path in tmp_path.iterdir()) == ["00000", "00001"]


def test_sounds_of_unequal_sides_are_learned(tmp_path):
    data = build(notes(tmp_path / "notes", 8), tmp_path / "wide.zip", resolution="16x32")
    call(outdir=tmp_path / "out", data=data, cfg="stylegan3-t", kimg=0.008, tick=0.008, workers=0)
    header = tensorfile.read_header(only_run(tmp_path / "out") / "network-snapshot-000000.safetensors")
    assert header["generator"]["shape"] == [4, 16, 32]
