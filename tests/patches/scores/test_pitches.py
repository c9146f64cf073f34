# SPDX-License-Identifier: Apache-2.0
"""Tones whose pitch is known, in an archive whose names tell it."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from patches.scores.choose import Wanted, evaluation
from patches.scores.evaluation import Evaluation
from patches.scores.rows import Score
from patches.scores.sounds import Heard
from patches.views import View
from spect.archive.reader import Archive
from spect.damage import pitch_shift
from tests.patches.runs.support import build

RATE, SECONDS = 8000, 0.5
NOTES = range(57, 73)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("tones")
    t = np.arange(round(RATE * SECONDS)) / RATE
    for note in NOTES:
        hz = 440 * 2 ** ((note - 69) / 12)
        tone = sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 5)) * np.exp(-4 * t) / 4
        (folder / "tones").mkdir(exist_ok=True)
        soundfile.write(folder / "tones" / f"organ_{note:03d}.wav", tone, RATE)
    path = build(folder / "tones", folder / "tones.zip", resolution="32x64", labels="none", label_pattern="note")
    archive = Archive.open(path)
    return evaluation(archive, View.fit(archive, "cmyk"), Wanted(("pitch",)), torch.device("cpu"))


def scored(made: Evaluation, cents: float) -> Score:
    def shifted(heard: Heard) -> torch.Tensor:
        return pitch_shift(heard.sounds, RATE, cents)

    items = np.arange(len(made.data.archive))
    (row,) = made.scores(made.measured(made.data.real.subject("tones", items, shifted if cents else None)))
    return row


def test_tones_in_tune_are_in_tune(made):
    row = scored(made, 0)
    assert row.count == len(NOTES)
    assert row.values["pitched"].value == 1
    assert row.values["in_tune"].value == 1
    assert row.values["error_cents"].value < 5
    assert row.values["spread_cents"].value < 10
    assert row.notes == ()


@pytest.mark.parametrize("cents", [37, 80])
def test_a_shift_is_seen_in_cents(made, cents):
    row = scored(made, cents)
    assert row.values["error_cents"].value == pytest.approx(cents, abs=5)
    assert (row.values["in_tune"].value == 1) == (cents < 50)


def test_sounds_that_were_asked_for_no_pitch_have_no_error(made):
    subject = made.data.real.subject("untold", np.arange(len(made.data.archive)))
    (row,) = made.scores(made.measured(replace(subject, label_sets=frozenset({"instrument"}))))
    assert set(row.values) == {"pitched", "spread_cents"}
    assert row.notes == ("untold isn't told pitch: it has no errors in cents",)


def test_an_octave_is_an_error_that_may_be_forgiven(made):
    row = scored(made, 1200)
    assert row.values["error_cents"].value == pytest.approx(1200, abs=5)
    assert row.values["error_cents_but_octaves"].value < 5
