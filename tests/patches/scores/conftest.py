# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import torch

from examples.synth import write_notes
from patches.scores.choose import Wanted, evaluation
from patches.scores.evaluation import Evaluation
from patches.views import View
from spect.archive.reader import Archive
from tests.patches.runs.support import build

METRICS = ("kad", "prdc", "defects", "novelty")


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 notes of three classes, a quarter of a second each, two fifths held out by file."""
    folder = tmp_path_factory.mktemp("notes")
    write_notes(folder / "notes", 160, 0.25, 8000, 0)
    return build(folder / "notes", folder / "notes.zip", resolution="32x32", holdout=0.4)


@pytest.fixture(scope="session")
def all_learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 such notes, none held out."""
    folder = tmp_path_factory.mktemp("learned")
    write_notes(folder / "notes", 80, 0.25, 8000, 0)
    return build(folder / "notes", folder / "learned.zip", resolution="32x32", holdout=0)


@pytest.fixture(scope="session")
def made(notes: Path) -> Evaluation:
    """The default metrics and precision, by two encoders."""
    archive = Archive.open(notes)
    wanted = Wanted(METRICS, ("log-mel", "waveform"))
    return evaluation(archive, View.fit(archive, "cmyk"), wanted, torch.device("cpu"))
