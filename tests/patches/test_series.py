# SPDX-License-Identifier: Apache-2.0
"""The patch series: each answers one assumption, they compose in one order, and the recipe tells which were applied."""

from pathlib import Path

import numpy as np
import pytest
import torch

from patches.canvases import Canvases
from patches.errors import UserError
from patches.series import SERIES, SoundOptions, apply_series
from spect.preview import save_png
from stylegan3.recipe import picture_recipe
from tests.patches.runs.support import archive, unlabelled

__all__ = ["archive", "unlabelled"]


def apply(*names: str, **options):
    return apply_series(picture_recipe(save_png), names, SoundOptions(**options))


def test_no_patch_changes_nothing():
    before = picture_recipe(save_png)
    assert apply_series(before, (), SoundOptions()) is before


@pytest.mark.parametrize(
    ("patch", "changes"),
    [
        ("float32-canvases", {"open_data", "make_sheet"}),
        ("view", {"open_data"}),
        ("sound-augmentation", {"make_augment"}),
        ("sound-previews", {"make_sheet"}),
        ("output-level", {"prepare"}),
        ("channel-transfer", {"transplant"}),
    ],
)
def test_a_patch_changes_its_own_part_alone(patch, changes):
    before, after = picture_recipe(save_png), apply(patch)
    same = {"transplant", "prepare"}
    fresh = {"open_data", "make_augment", "make_sheet"}  # picture_recipe makes these anew: compare their origin
    for part in same - changes:
        assert getattr(after, part) is getattr(before, part)
    for part in fresh - changes:
        assert getattr(after, part).__code__ is getattr(before, part).__code__
    for part in changes:
        assert getattr(after, part).__code__ is not getattr(before, part).__code__
    assert after.applied == (patch,)


def test_the_series_table_is_the_readmes():
    text = (Path(__file__).parents[2] / "patches/README.md").read_text()
    for name in SERIES:
        assert f"| `{name}` |" in text


def test_all_together_learn_sounds(archive, tmp_path):
    recipe = apply(*SERIES)
    data = recipe.open_data(archive)
    assert isinstance(data, Canvases)
    assert (data.shape, data.c_dim, data.view.scaling.name) == ((4, 16, 16), 0, "compand")
    assert recipe.make_augment(data).names == ("shift", "polarity", "gain", "width", "swap", "pan")
    pictures = data.to_model(data.pictures(np.arange(2)))
    sheet = recipe.make_sheet(data)(tmp_path, "sheet", pictures)
    assert sheet["sound"].shape[0] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet.png", "sheet.wav"]
    assert recipe.applied == tuple(SERIES)


def test_canvases_alone_are_as_stored_but_for_one_factor_and_seen_but_not_heard(archive, tmp_path):
    recipe = apply("float32-canvases")
    data = recipe.open_data(archive)
    stored = data.pictures(np.arange(4))
    factor = data.to_model(stored) / stored
    assert torch.allclose(factor[stored.abs() > 1e-3], factor[stored.abs() > 1e-3][0], rtol=1e-4)
    recipe.make_sheet(data)(tmp_path, "sheet", data.to_model(stored))
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_options_reach_the_patches(archive):
    recipe = apply(*SERIES, scaling="linear", augmentations=("gain",), conditional=True)
    data = recipe.open_data(archive)
    assert (data.view.scaling.name, data.classes) == ("linear", ("pad", "pluck"))
    assert recipe.make_augment(data).names == ("gain",)


def test_the_order_is_the_series_whatever_it_is_written_in():
    assert apply("view", "float32-canvases").applied == ("float32-canvases", "view")


def test_what_a_patch_needs_before_it_is_told(archive):
    with pytest.raises(UserError, match=r"'sound-previews' needs 'float32-canvases' before it"):
        apply("sound-previews").make_sheet("pictures")
    with pytest.raises(UserError, match="no patch 'reverb'; there are float32-canvases, view"):
        apply("reverb")


def test_labels_asked_for_and_absent_are_refused(unlabelled):
    with pytest.raises(UserError, match="has no labels"):
        apply(*SERIES, conditional=True).open_data(unlabelled)
