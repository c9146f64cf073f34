# SPDX-License-Identifier: Apache-2.0
"""All classes have their turn, in sounds and in what networks are asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch

from patches.errors import UserError
from patches.generate.network import open_network
from patches.scores.listening.choose import asked, evenly, real_items
from spect.archive.reader import Archive
from tests.patches.generate.support import save_snapshot


def test_classes_are_drawn_in_turn_though_one_is_rare():
    classes = np.array([0] * 50 + [1] * 3 + [2] * 20)
    picked = evenly(classes, 12, np.random.default_rng(0))
    assert len(set(picked.tolist())) == 12
    assert np.bincount(classes[picked]).max() - 3 <= 2
    assert np.bincount(classes[evenly(classes, 7, np.random.default_rng(1))]).tolist() in (
        [3, 2, 2],
        [2, 2, 3],
        [2, 3, 2],
    )


def test_all_are_drawn_once_where_more_are_asked_for():
    assert sorted(evenly(np.zeros(5, int), 9, np.random.default_rng(0)).tolist()) == [0, 1, 2, 3, 4]
    assert len(evenly(np.zeros(0, int), 9, np.random.default_rng(0))) == 0


def test_other_seeds_draw_other_sounds():
    classes = np.zeros(100, int)
    first, second, other = (evenly(classes, 5, np.random.default_rng(seed)).tolist() for seed in (0, 0, 1))
    assert first == second != other


def test_real_sounds_are_held_out_ones_of_every_class(sounds: Path):
    archive = Archive.open(sounds)
    items, held_out = real_items(archive, 4, np.random.default_rng(0))
    assert held_out
    assert set(items.tolist()) <= set(archive.holdout.tolist())
    assert sorted(archive.labels[items].tolist()) == [0, 0, 1, 1]


def test_conditional_networks_are_asked_for_each_class_by_its_name(sounds: Path, tmp_path: Path):
    # the network knows its classes in another order than the archive
    path = save_snapshot(tmp_path / "n.safetensors", classes=("pluck", "pad"))
    network = open_network(path, torch.device("cpu"))
    wanted = asked(network, Archive.open(sounds), 5, np.random.default_rng(0))
    told = [one.told() for one in wanted if one]
    assert sorted(told) in (["class pad"] * 2 + ["class pluck"] * 3, ["class pad"] * 3 + ["class pluck"] * 2)
    weights = {one.told(): one.vector().tolist() for one in wanted if one}
    assert weights == {"class pluck": [1, 0], "class pad": [0, 1]}


def test_a_network_of_other_labels_is_refused(sounds: Path, tmp_path: Path):
    network = open_network(save_snapshot(tmp_path / "n.safetensors", classes=("pluck", "cat")), torch.device("cpu"))
    with pytest.raises(UserError, match=r"a class that it doesn't know \(pad\)"):
        asked(network, Archive.open(sounds), 5, np.random.default_rng(0))
