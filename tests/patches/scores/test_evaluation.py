# SPDX-License-Identifier: Apache-2.0
"""Sounds whose scores are known, or known to get worse."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from patches.scores.evaluation import Evaluation
from patches.scores.probes import Probe, measure
from patches.scores.rows import Score
from patches.scores.sounds import Heard, Subject
from spect.damage import DAMAGES, Damage, pitch_shift, white_noise


def scored(made: Evaluation, subject: Subject) -> dict[tuple[str, str], Score]:
    """Rows by metric and encoder's name."""
    return {(row.metric, row.features.split(" ")[0]): row for row in made.scores(made.measured(subject))}


def test_every_anchor_stands_in_every_table(made):
    rows = made.anchors()
    tables = {(row.metric, row.features) for row in rows}
    assert len(tables) == 2 + 2 + 1 + 1
    names = {
        "held-out real",
        "train real",
        "train through cmyk",
        "train + white noise at 30 dB",
        "train through Griffin-Lim",
    }
    for table in tables:
        assert {row.system for row in rows if (row.metric, row.features) == table} == names


def test_anchors_are_read_where_they_were_made_before_and_are_the_same(made):
    again = replace(made).anchors()
    assert [row.to_dict() for row in again] == [row.to_dict() for row in made.anchors()]


def test_real_sounds_are_far_more_real_than_with_a_little_noise(made):
    rows = {(row.system, row.features.split(" ")[0]): row for row in made.anchors() if row.metric == "kad"}
    for encoder in ("log-mel", "waveform"):
        noisy = rows["train + white noise at 30 dB", encoder].values["kad"]
        assert rows["train real", encoder].values["kad"].value < noisy.value / 3
        assert noisy.low > 0


def test_copies_of_training_sounds_are_seen_as_copies_and_held_out_sounds_are_not(made):
    copies = scored(made, made.data.real.subject("copies", made.data.train))["novelty", "log-mel"].values
    new = scored(made, made.data.real.subject("new", made.data.reference))["novelty", "log-mel"].values
    assert copies["near_train"].value == 1
    assert copies["nearer_than_real"].value == 1
    assert new["near_train"].value < 0.1
    assert new["nearer_than_real"].value == pytest.approx(0.5)


def test_copies_with_a_little_noise_are_still_seen(made):
    def noisy(heard: Heard) -> torch.Tensor:
        return white_noise(heard.sounds, 60, torch.Generator().manual_seed(heard.first))

    found = scored(made, made.data.real.subject("noisy copies", made.data.train, noisy))
    assert found["novelty", "log-mel"].values["nearer_than_real"].value > 0.9


def test_an_output_that_repeats_itself_is_a_near_duplicate(made):
    items = np.repeat(made.data.reference[:20], 2)
    values = scored(made, made.data.real.subject("twice", items))["novelty", "log-mel"].values
    assert values["near_duplicates"].value == 1


def test_a_missing_class_is_missed_by_recall_and_not_by_precision(made):
    labels = made.data.archive.labels[made.data.train]
    one = scored(made, made.data.real.subject("one class", made.data.train[labels == 0]))["prdc", "log-mel"].values
    all_three = scored(made, made.data.real.subject("all", made.data.train))["prdc", "log-mel"].values
    assert one["recall"].value < 0.7 * all_three["recall"].value
    assert one["precision"].value > 0.8 * all_three["precision"].value


@pytest.mark.parametrize("damage", ["noise", "clip", "gain"])
def test_kad_rises_with_every_step_of_a_damage(made, damage):
    found = [kad_of(made, DAMAGES[damage], level) for level in DAMAGES[damage].levels]
    assert found == sorted(found)
    assert found[-1] > found[0] + 1


def kad_of(made: Evaluation, damage: Damage, level: float) -> float:
    def change(heard: Heard) -> torch.Tensor:
        return damage.apply(heard.sounds, 8000, level, torch.Generator().manual_seed(heard.first))

    subject = made.data.real.subject("damaged", made.data.train, change)
    return scored(made, subject)["kad", "log-mel"].values["kad"].value


def test_shifted_pitch_moves_kad(made):
    def higher(heard: Heard) -> torch.Tensor:
        return pitch_shift(heard.sounds, 8000, 1200)

    moved = scored(made, made.data.real.subject("an octave up", made.data.train, higher))["kad", "log-mel"].values[
        "kad"
    ]
    assert moved.low > 0


def test_sounds_that_are_not_finite_are_left_out_counted_and_defective(made):
    def broken(heard: Heard) -> torch.Tensor:
        sounds = heard.sounds.clone()
        sounds[::4] = math.nan
        return sounds

    found = scored(made, made.data.real.subject("broken", made.data.train[:40], broken))
    assert found["kad", "log-mel"].count == 30
    assert "10 sounds that are not finite are left out" in found["kad", "log-mel"].notes
    assert found["defects", ""].values["not_finite"].value == pytest.approx(0.25)
    assert found["defects", ""].values["defective"].value >= 0.25


def test_a_set_is_gone_through_once_and_its_order_is_kept(made):
    seen = []

    def look(heard: Heard) -> dict[str, torch.Tensor]:
        seen.extend(heard.items.tolist())
        return {"first": heard.sounds[:, 0, 0]}

    items = made.data.train[:40]
    measured = measure(made.data.real.subject("some", items), [Probe("one", "1", look)])
    assert seen == items.tolist() == measured.items.tolist()
    assert measured.places.tolist() == list(range(40))
    assert torch.equal(measured.found["one/first"], made.data.real.heard(items).sounds[:, 0, 0])


def test_no_batch_is_begun_when_the_time_is_over(made):
    subject = made.data.real.subject("some", made.data.train)
    assert measure(subject, [], until=-math.inf).count == 32 < subject.count


def test_of_a_dataset_each_probe_is_measured_once_for_all_evaluations(made):
    before = sorted(path.name for path in made.data.archive.path.parent.glob("*.scores-*"))
    made.anchors()
    replace(made).against  # noqa: B018 (measured now, or not)
    assert sorted(path.name for path in made.data.archive.path.parent.glob("*.scores-*")) == before


def test_equal_evaluations_give_equal_rows(made):
    subject = made.data.real.subject("some", made.data.train)
    first, second = (made.scores(replace(made.measured(subject), seconds=0.0)) for _ in range(2))
    assert [row.to_dict() for row in first] == [row.to_dict() for row in second]
