# SPDX-License-Identifier: Apache-2.0
"""Pictures for the eye: silence black, low at the bottom, octaves of one height, colours by part."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spect.cmyk import Cmyk
from spect.errors import SoundError
from spect.preview import RANGE_DB, grid, levels, picture, save_png

FORM = Cmyk(rows=128, frames=16)


def tone(bin_: int, level: float = 0.5, side: bool = False) -> torch.Tensor:
    wave = level * torch.cos(2 * torch.pi * bin_ * torch.arange(FORM.samples) / FORM.window)
    return torch.stack([wave, -wave if side else wave])


def draw(*sounds: torch.Tensor, **options: float) -> torch.Tensor:
    return picture(FORM.encode(torch.stack(sounds)), **options)  # type: ignore[arg-type]


def brightest_row(shown: torch.Tensor) -> float:
    weight = shown.sum(dim=(1, 2)).double()
    return float((weight * torch.arange(len(weight))).sum() / weight.sum())


def test_silence_is_black() -> None:
    assert not draw(torch.zeros(2, FORM.samples)).any()
    assert not draw(torch.zeros(2, FORM.samples), full_scale=1.0).any()


def test_low_is_at_the_bottom_and_octaves_have_one_height() -> None:
    rows = [brightest_row(draw(tone(bin_))[0]) for bin_ in (4, 8, 16, 32, 64)]
    steps = -np.diff(rows)
    assert rows[0] > 80
    np.testing.assert_allclose(steps, 128 / np.log2(128.5), atol=3)


def test_mid_cosine_is_red_and_side_cosine_blue() -> None:
    mid, side = draw(tone(16), tone(16, side=True)).amax(dim=(1, 2)).tolist()
    assert mid[0] > 200
    assert mid[1:] == [0, 0]
    assert side[2] > 200
    assert side[:2] == [0, 0]


def test_imaginary_mid_is_green_and_imaginary_side_white() -> None:
    canvas = torch.zeros(2, 4, 128, 16)
    canvas[0, 1, 60:70] = -3.0
    canvas[1, 3, 60:70] = 3.0
    green, white = picture(canvas).amax(dim=(1, 2)).tolist()
    assert green == [0, 255, 0]
    assert white == [255, 255, 255]


def test_brightness_is_the_equations_in_decibels() -> None:
    canvas = torch.zeros(1, 4, 128, 16)
    canvas[0, 0, 0, 0] = 100.0
    canvas[0, 0, 1:, :] = 1.0  # 40 dB below
    cyan = 1 - 40 / RANGE_DB
    assert int(picture(canvas)[0, 64, 8, 0]) == round(255 * cyan)
    canvas[0, 3, 1:, :] = 1.0
    assert int(picture(canvas)[0, 64, 8, 0]) == round(255 * (1 - (1 - cyan) ** 2))


def test_own_scale_hides_level_and_a_common_one_shows_it() -> None:
    loud, soft = tone(16), tone(16, level=0.05)
    same = draw(loud, soft)
    assert (same[0].int() - same[1].int()).abs().max() <= 1
    largest = float(FORM.encode(loud).abs().max())
    shown = draw(loud, soft, full_scale=largest)
    assert torch.equal(shown[0], same[0])
    assert int(shown[1].max()) == pytest.approx(int(shown[0].max()) * (1 - 20 / RANGE_DB), abs=2)


def test_dc_slot_isnt_drawn_and_bad_values_are_black() -> None:
    assert not draw(torch.full((2, FORM.samples), 0.5), full_scale=100.0).any()
    canvas = FORM.encode(tone(16))[None].repeat(2, 1, 1, 1)
    canvas[1, 0, 5, 5], canvas[1, 2, 6, 6] = torch.nan, torch.inf
    shown = picture(canvas)
    assert torch.equal(shown[0], shown[1])


def test_a_batch_is_its_items_and_any_height_goes() -> None:
    shown = draw(tone(4), tone(50, side=True))
    assert shown.shape == (2, 128, 16, 3)
    assert shown.dtype == torch.uint8
    assert torch.equal(shown[1], draw(tone(50, side=True))[0])
    assert draw(tone(4), height=300).shape == (1, 300, 16, 3)
    with pytest.raises(SoundError, match="preview"):
        picture(torch.zeros(4, 8, 8))


def test_grid_lays_pictures_out_row_by_row() -> None:
    pictures = torch.arange(1, 6, dtype=torch.uint8)[:, None, None, None].expand(5, 4, 3, 3)
    sheet = grid(pictures, columns=3, gap=2)
    assert sheet.shape == (4 * 2 + 2, 3 * 3 + 2 * 2, 3)
    assert int(sheet[0, 0, 0]) == 1
    assert int(sheet[0, 10, 0]) == 3
    assert int(sheet[9, 5, 0]) == 5
    assert grid(pictures[:2], columns=8).shape == (4, 8, 3)
    with pytest.raises(SoundError, match="grid"):
        grid(pictures[:0], columns=3)


def test_png_holds_the_picture(tmp_path: Path) -> None:
    shown = draw(tone(8))[0]
    save_png(tmp_path / "a.png", shown)
    save_png(tmp_path / "b.png", shown.numpy())
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), shown.numpy())
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with pytest.raises(SoundError, match="uint8"):
        save_png(tmp_path / "c.png", np.zeros((4, 4, 3)))
    assert len(list(tmp_path.iterdir())) == 2


def test_log_magnitudes_are_white_on_black_and_silence_is_black() -> None:
    silence = torch.full((2, 1, 64, 8), -100.0)
    assert not levels(silence).any()
    assert not levels(silence.expand(2, 2, 64, 8), lowest_bin=None).any()
    silence[1, :, 20:30] = -20
    shown = levels(silence)
    assert not shown[0].any()
    assert (shown[1].amax(dim=-1) == shown[1].amin(dim=-1)).all()
    assert int(shown[1].max()) == 255


def test_left_and_right_together_are_white_each_alone_has_its_colour() -> None:
    both = torch.full((3, 2, 64, 8), -100.0)
    both[0] = -10
    both[1, 0] = -10
    both[2, 1] = -10
    middle, left, right = levels(both, lowest_bin=None)[:, 10, 3].tolist()
    assert middle == [255, 255, 255]
    assert left[0] > 250 > 40 > left[2]
    assert right[2] > 200 > 10 > right[0]


def test_rows_of_bins_go_on_octaves_and_others_as_they_stand() -> None:
    # tones an octave apart, bins 4 ... 64 of a picture whose last row is DC (lowest_bin=0) or bin 1
    for lowest in (0, 1):
        tones = torch.full((5, 1, 128, 4), -100.0)
        for index, bin_ in enumerate((4, 8, 16, 32, 64)):
            tones[index, :, 127 + lowest - bin_] = 0
        rows = [brightest_row(shown) for shown in levels(tones, lowest_bin=lowest, range_db=20)]
        np.testing.assert_allclose(-np.diff(rows), 128 / np.log2(128), atol=3)
    shown = levels(tones, lowest_bin=None)
    assert [int(one[:, 0, 0].argmax()) for one in shown] == [124, 120, 112, 96, 64]


def test_brightness_falls_with_the_level() -> None:
    steps = torch.linspace(0, -70, 8).expand(1, 1, 16, 8)
    values = levels(steps, lowest_bin=None, full_scale_db=0)[0, 0, :, 0].tolist()
    np.testing.assert_allclose(values, np.linspace(255, 0, 8), atol=1)


def test_wrong_shapes_of_levels_are_refused() -> None:
    with pytest.raises(SoundError, match=r"log magnitudes are \[N, 1 or 2, F, T\]"):
        levels(torch.zeros(1, 3, 16, 16))
    with pytest.raises(SoundError, match="keep their number"):
        levels(torch.zeros(1, 1, 16, 16), lowest_bin=None, height=32)
