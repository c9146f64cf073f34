# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from patches.scores.choose import Wanted, evaluation
from patches.scores.evaluation import Evaluation
from patches.scores.metrics.pictures import picture_probe
from patches.scores.probes import measure
from patches.scores.sounds import Heard
from patches.views import View
from spect.archive.reader import Archive


class Colours(nn.Module):
    """Mean and deviation of each colour of uint8 pictures."""

    def forward(self, pictures: Tensor) -> Tensor:
        flat = pictures.float().flatten(2)
        return torch.cat([flat.mean(2), flat.std(2)], 1)


@pytest.fixture(scope="module")
def made(notes: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    network = tmp_path_factory.mktemp("network") / "colours.pt"
    torch.jit.save(torch.jit.script(Colours()), str(network))
    archive = Archive.open(notes)
    wanted = Wanted(("pictures",), ("log-mel",), str(network))
    return evaluation(archive, View.fit(archive, "cmyk"), wanted, torch.device("cpu"))


def test_real_pictures_differ_from_others_of_them_by_root_two_deviations(made):
    items = made.data.train
    row = made.scores(made.measured(made.data.real.subject("train", items)))[0]
    pictures = made.data.real.heard(items).pictures()
    expected = (2 * pictures.double().var(0, correction=0).mean()).sqrt()
    assert row.values["rmse"].value == pytest.approx(float(expected), rel=0.15)
    assert row.values["rmse"].low < row.values["rmse"].value < row.values["rmse"].high


def test_the_pictures_of_a_damaged_sound_are_damaged(made):
    def silenced(heard: Heard) -> Tensor:
        return 0 * heard.sounds

    items = made.data.train
    real, silent = (
        made.scores(made.measured(made.data.real.subject("set", items, change)))[1] for change in (None, silenced)
    )
    assert silent.values["fid"].value > 10 * real.values["fid"].value


def test_no_picture_is_compared_with_itself(made):
    two = made.data.reference[:2]
    probe = picture_probe(made.data.real, two)
    measured = measure(made.data.real.subject("two", np.tile(two, 20)), [probe])
    assert bool((measured.found["pictures/square"] > 0).all())


def test_fid_is_that_of_the_given_network_and_small_for_real_pictures(made):
    of_train, of_some = (
        made.scores(made.measured(made.data.real.subject("set", items)))[1]
        for items in (made.data.train, made.data.train[made.data.archive.labels[made.data.train] == 0])
    )
    assert of_train.features.startswith("colours.pt ")
    assert of_train.values["fid"].value < of_some.values["fid"].value / 3
