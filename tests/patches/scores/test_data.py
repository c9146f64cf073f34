# SPDX-License-Identifier: Apache-2.0
"""What sounds are compared with, and that nothing is compared with itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from patches.errors import UserError
from patches.scores.anchors import anchor_sets
from patches.scores.choose import Wanted, evaluation
from patches.scores.data import Data, halves
from patches.views import View
from spect.archive.reader import Archive

CPU = torch.device("cpu")


def test_held_out_sounds_are_the_reference_and_anchors_are_made_of_the_others(made):
    archive, data = made.data.archive, made.data
    assert data.reference.tolist() == archive.holdout.tolist()
    assert data.train.tolist() == data.others.tolist() == archive.train.tolist()
    assert data.notes() == ()


def test_where_nothing_is_held_out_the_reference_is_half_and_no_anchor_is_of_it(all_learned):
    archive = Archive.open(all_learned)
    data = Data.of(archive, View.fit(archive, "cmyk"), CPU)
    assert (len(data.train), len(data.reference), len(data.others)) == (80, 40, 40)
    for subject in anchor_sets(data):
        items = np.concatenate([heard.items for heard in subject.batches()])
        assert not np.isin(items, data.reference).any()
    assert "learned.zip holds out 0 sounds: scores are against half of the sounds" in data.notes()[0]


def test_where_nothing_is_held_out_real_sounds_are_near_0_and_novelty_says_what_it_lacks(all_learned):
    archive = Archive.open(all_learned)
    wanted = Wanted(("kad", "novelty"), ("log-mel",))
    rows = evaluation(archive, View.fit(archive, "cmyk"), wanted, CPU).anchors()
    kad, novelty = (row for row in rows if row.system == "train real")
    assert kad.values["kad"].low < 0 < kad.values["kad"].high
    assert list(novelty.values) == ["near_duplicates"]
    assert novelty.notes[0].startswith("no sound is held out")


def test_an_archive_of_too_few_sounds_is_refused_with_what_is_needed(all_learned, monkeypatch):
    monkeypatch.setattr("patches.scores.data.LEAST_REFERENCE", 41)
    archive = Archive.open(all_learned)
    with pytest.raises(UserError, match="80 sounds, 0 of them held out; scores need 41 to learn from and 41 others"):
        Data.of(archive, View.fit(archive, "cmyk"), CPU)


def test_sets_of_equal_size_sum_and_first_item_have_different_keys(made):
    probe = made.probes[0]
    one, other = (made.data._key(np.asarray(items), probe) for items in ([0, 3, 4], [0, 2, 5]))
    assert one != other


def test_anchors_are_those_of_the_first_encoder_whatever_was_measured_before(made):
    made.anchors()
    wanted = Wanted(("kad", "novelty"), ("waveform", "log-mel"))
    turned, same = (
        evaluation(made.data.archive, made.data.view, replace(wanted, encoders=encoders), CPU)
        for encoders in (wanted.encoders, wanted.encoders[::-1])
    )
    for one, first in ((turned, "waveform"), (same, "log-mel")):
        assert {row.features.split(" ")[0] for row in one.anchors() if row.metric == "novelty"} == {first}


def test_halves_share_nothing_and_leave_nothing_out():
    first, second = halves(9)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(9))
