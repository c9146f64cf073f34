# SPDX-License-Identifier: Apache-2.0
"""Each preset of a seed fits the archive that it names, and no other; what is learned is what the report tells."""

from pathlib import Path

import pytest

from patches import presets
from patches.errors import UserError
from patches.runs.suitable import check_archive
from patches.views import kind_of, parse_arguments, suited
from spect.cmyk import Cmyk
from spect.dataset.options import parse_resolution
from spect.representation import trainable
from tests.patches.runs.support import RATE, archive, build, call, resolved, unlabelled

__all__ = ["archive", "unlabelled"]

SEEDS = [name for name, row in presets.PRESETS.items() if row.sample_rate is not None]


def stored(name: str) -> Cmyk:
    row = presets.PRESETS[name]
    return Cmyk(row.sample_rate, *parse_resolution(row.resolution))


def picture(name: str):
    row = presets.PRESETS[name]
    return suited(row.view, stored(name), parse_arguments(row.view_args))


def test_the_seeds_are_there():
    assert SEEDS == ["electrogan", "electrogan-short", "digits", "urbansound"]


@pytest.mark.parametrize("name", SEEDS)
def test_the_archive_holds_a_views_sounds_and_networks_learn_its_pictures(name):
    view = picture(name)
    assert view.samples <= stored(name).samples < 1.15 * view.samples
    assert trainable(*view.shape[1:])
    assert presets.PRESETS[name].scaling in kind_of(presets.PRESETS[name].view).scalings


@pytest.mark.parametrize(
    ("name", "shape", "window", "hop", "samples"),
    [
        ("electrogan", (1, 1024, 1024), 2048, 1025, 1024 * 1024),  # seed 001, section 5
        ("electrogan-short", (1, 512, 512), 1024, 513, 512 * 512),  # section 9: 5.9 s
        ("digits", (1, 128, 128), 512, 125, 16000),  # seed 002, section V: one second
        ("urbansound", (1, 256, 256), 2048, 345, 4 * 22050),  # seed 004: four seconds
    ],
)
def test_the_pictures_are_the_reports(name, shape, window, hop, samples):
    view = picture(name)
    assert (view.shape, view.layout.window, view.hop, view.samples) == (shape, window, hop, samples)


def test_electrogans_columns_are_those_of_a_centred_transform():
    for name in ("electrogan", "electrogan-short"):
        view = picture(name)
        assert view.first == 0
        assert view.frames == 1 + view.samples // view.hop  # librosa's and torch's center=True
        assert (view.inverse, view.iterations, view.momentum) == ("griffin-lim", 10, 0.0)


def test_what_the_reports_say_of_training_is_set():
    electrogan, digits, urban = (presets.settings(name) for name in ("electrogan", "digits", "urbansound"))
    assert [electrogan[key] for key in ("glr", "dlr", "gamma", "kimg")] == [0.001, 0.001, 10, "2200"]
    assert [digits[key] for key in ("glr", "dlr", "z_dim", "embed_dim", "cond")] == [0.001, 0.001, 64, 10, True]
    assert [urban[key] for key in ("z_dim", "batch")] == [128, 8]


@pytest.mark.parametrize("name", SEEDS)
def test_a_preset_is_proposed_for_its_own_archive_only(name):
    its_own, other = stored(name), Cmyk(48000, *parse_resolution(presets.PRESETS[name].resolution))
    assert name in [row["preset"] for row in presets.expectations(its_own)]
    assert name not in [row["preset"] for row in presets.expectations(other)]
    assert name not in [row["preset"] for row in presets.expectations()]


def test_digits_is_advised_for_labelled_sounds_only():
    assert "digits" in [row["preset"] for row in presets.advised(stored("digits"), labelled=True)]
    assert "digits" not in [row["preset"] for row in presets.advised(stored("digits"))]


# Another archive


@pytest.mark.parametrize("name", SEEDS)
def test_another_archive_is_refused_with_the_command_that_makes_the_right_one(tmp_path, archive, name):
    told = call(preset=name, data=archive, outdir=tmp_path / "out", view=None, code=2)
    row = presets.PRESETS[name]
    assert told.startswith(f"train.py: --preset={name}: is for an archive of {row.resolution} at {row.sample_rate} Hz")
    assert f"is 16x16 at {RATE} Hz (0.06 s)" in told
    assert f"dataset_tool_wav.py --source=SOUNDS --dest=ARCHIVE.zip {row.archive_options}; or" in told
    assert not (tmp_path / "out").exists()


def test_sounds_too_short_are_refused_and_longer_ones_are_cut(tmp_path, archive):
    short = build(archive.parent / "notes", tmp_path / "short.zip", "64x64", sample_rate=16000)
    with pytest.raises(UserError, match=r"is 64x64 at 16000 Hz \(0\.51 s\)"):
        check_archive("digits", resolved(preset="digits", data=str(short), outdir="x", view=None))
    longer = build(archive.parent / "notes", tmp_path / "longer.zip", "64x160", sample_rate=16000)
    check_archive("digits", resolved(preset="digits", data=str(longer), outdir="x", view=None))


def test_parameters_of_ones_own_are_not_the_presets_matter(archive):
    own = "rows=16,frames=16,window=128,hop=32,first=16,samples=512,channels=1"
    check_archive("digits", resolved(preset="digits", data=str(archive), outdir="x", view=None, view_args=own))


def test_labels_that_a_preset_learns_must_be_there_unless_none_are_asked_for(tmp_path, unlabelled):
    own = {"preset": "digits", "data": unlabelled, "outdir": tmp_path / "out", "view": None}
    own["view_args"] = "rows=16,frames=16,window=128,hop=32,first=16,samples=512,channels=1"
    told = call(**own, code=2)
    assert "--preset=digits: learns labels, " in told
    assert "--labels=folders; or give --cond=0" in told
    assert "0 classes" in call("--dry-run", **own, cond=0)


def test_what_cant_be_opened_is_told_as_ever(tmp_path):
    text = tmp_path / "no.zip"
    text.write_text("nothing")
    assert "--data=" in call(preset="digits", data=text, outdir=tmp_path / "out", view=None, code=2)
    assert "no such file" in call(preset="digits", data=Path("no/such.zip"), outdir=tmp_path / "out", view=None, code=2)
