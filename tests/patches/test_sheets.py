# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from patches.scaling import Compand
from patches.sheets import GAP_SECONDS, fit_to_full_scale, in_a_row, sound_sheet, write_sheet
from patches.views import View
from spect.cmyk import Cmyk

RATE = 8000
CMYK = Cmyk(sample_rate=RATE, rows=16, frames=8)
VIEW = View(CMYK, Compand((10.0,) * 16, dc=20.0))
STEP_24_BIT = 2.0**-23
GAP = round(GAP_SECONDS * RATE)


def sounds(n: int, peak: float = 0.9) -> torch.Tensor:
    noise = torch.rand(n, 2, CMYK.samples, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return peak * noise / noise.abs().max()


def model(x: torch.Tensor) -> torch.Tensor:
    return VIEW.to_model(CMYK.encode(x))


def test_fakes_are_one_png_and_one_wav_with_the_sounds_in_a_row(tmp_path):
    x = sounds(5)
    sheet = write_sheet(VIEW, tmp_path, "fakes000010", model(x))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fakes000010.png", "fakes000010.wav"]
    assert sheet.files == (tmp_path / "fakes000010.png", tmp_path / "fakes000010.wav")
    heard, rate = soundfile.read(tmp_path / "fakes000010.wav", dtype="float32", always_2d=True)
    assert rate == RATE
    assert soundfile.info(tmp_path / "fakes000010.wav").subtype == "PCM_24"
    for index in range(5):
        start = index * (CMYK.samples + GAP)
        assert np.abs(heard[start : start + CMYK.samples].T - x[index].numpy()).max() < 2e-6
    gap = heard[CMYK.samples : CMYK.samples + GAP]
    assert not gap.any()
    assert len(heard) == 5 * (CMYK.samples + GAP) - GAP
    assert sheet.gain_db == 0


def test_reals_are_one_png_and_a_wav_each(tmp_path):
    x = sounds(3)
    fields = sound_sheet(VIEW)(tmp_path, "reals", model(x))
    assert sorted(p.name for p in (tmp_path / "reals").iterdir()) == ["0000.wav", "0001.wav", "0002.wav"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["reals", "reals.png"]
    heard, _ = soundfile.read(tmp_path / "reals" / "0002.wav", dtype="float32", always_2d=True)
    assert np.abs(heard.T - x[2].numpy()).max() < 2e-6
    assert fields["sample_rate"] == RATE
    assert len(fields["files"]) == 4


def test_the_png_is_the_grid_that_the_log_gets(tmp_path):
    sheet = write_sheet(VIEW, tmp_path, "fakes000000", model(sounds(5)))
    shown = np.asarray(Image.open(tmp_path / "fakes000000.png"))
    assert np.array_equal(shown, sheet.picture.numpy())
    assert shown.shape == (2 * 16 + 2, 3 * 8 + 2 * 2, 3)  # 3 columns, 2 rows, 2 pixels between


def test_a_sheet_that_is_too_loud_is_lowered_as_a_whole_and_says_by_how_much(tmp_path):
    x = torch.cat([sounds(1, 4.0), sounds(1, 0.5)])
    sheet = write_sheet(VIEW, tmp_path, "fakes000001", model(x))
    heard, _ = soundfile.read(tmp_path / "fakes000001.wav", dtype="float32", always_2d=True)
    assert np.abs(heard).max() == pytest.approx(10 ** (-0.1 / 20), abs=STEP_24_BIT)
    assert sheet.gain_db == pytest.approx(-20 * math.log10(4) - 0.1, abs=1e-4)
    loud, quiet = heard[: CMYK.samples], heard[CMYK.samples + GAP :]
    assert np.abs(loud).max() / np.abs(quiet).max() == pytest.approx(8, rel=1e-4)  # levels keep their relation


def test_a_full_scale_sound_survives_float32_rounding_without_being_lowered_audibly(tmp_path):
    square = torch.ones(1, 2, CMYK.samples)
    square[..., 1::2] = -1
    lowered, gain_db, _ = fit_to_full_scale(square * (1 + 3e-7))
    assert lowered.abs().max() <= 1
    assert -1e-5 < gain_db < 0
    write_sheet(VIEW, tmp_path, "reals", model(square), separate=True)  # writing does not refuse it


def test_sounds_that_are_not_finite_become_silence_and_are_counted(tmp_path):
    y = model(sounds(4))
    y[1, 0, 3, 2] = float("nan")
    y[2, 0, 3, 2] = float("inf")
    sheet = write_sheet(VIEW, tmp_path, "fakes000002", y)
    assert sheet.not_finite == 2
    assert torch.isfinite(sheet.sound).all()
    start = CMYK.samples + GAP
    assert not sheet.sound[:, start : start + CMYK.samples].any()
    assert sheet.sound[:, : CMYK.samples].any()


def test_one_sound_has_no_gap_after_it():
    assert in_a_row(sounds(1), 100).shape == (2, CMYK.samples)
    assert in_a_row(sounds(3), 0).equal(torch.cat(tuple(sounds(3)), 1))


def test_gradients_are_not_kept(tmp_path):
    sheet = write_sheet(VIEW, tmp_path, "fakes000003", model(sounds(1)).requires_grad_())
    assert not sheet.sound.requires_grad
