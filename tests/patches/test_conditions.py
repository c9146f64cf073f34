# SPDX-License-Identifier: Apache-2.0
"""Label sets as a network's condition vector."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from patches.conditions import Condition, Conditions, conditions_of, parse_cond
from patches.errors import UserError
from spect.archive.sets import LabelSet, Spread, spread

NAN = float("nan")
DEEP = np.array([[1, 10], [3, NAN], [NAN, NAN], [5, 30]], np.float32)
TRAIN = np.array([0, 1, 3])


class FakeArchive(SimpleNamespace):
    """Four items: kinds a, b, none, a; pitches 60, 64, none, C#3; two numbers each, some not known."""

    path = "sounds.zip"
    train = TRAIN
    label_sets = (
        LabelSet("kind", "classes", ("a", "b")),
        LabelSet("pitch", "classes", ("60", "64", "C#3")),
        LabelSet("deep", "values", (), 2, ("flux", "zcr"), 2, spread(DEEP[TRAIN])),
    )

    def label_values(self, name: str) -> np.ndarray:
        return {"kind": np.array([0, 1, -1, 0]), "pitch": np.array([0, 1, -1, 2]), "deep": DEEP}[name]


ARCHIVE = FakeArchive()
ITEMS = np.arange(4)


def test_classes_are_one_hot_and_zero_for_none():
    c = conditions_of(ARCHIVE, "kind").of_items(ARCHIVE, ITEMS)
    assert c.tolist() == [[1, 0], [0, 1], [0, 0], [1, 0]]
    assert c.dtype == np.float32


def test_all_sets_follow_each_other_in_the_archives_order():
    conditions = conditions_of(ARCHIVE, True)
    assert conditions.size == 2 + 3 + 3
    c = conditions.of_items(ARCHIVE, ITEMS)
    assert c[1, :5].tolist() == [0, 1, 0, 1, 0]
    assert conditions.classes == ("a", "b")
    assert conditions_of(ARCHIVE, "pitch,kind").of_items(ARCHIVE, ITEMS)[1].tolist() == [0, 1, 0, 0, 1]


def test_values_are_standard_over_the_train_items_and_the_mean_where_not_known():
    c = conditions_of(ARCHIVE, "deep").of_items(ARCHIVE, ITEMS)
    train = c[TRAIN, :2]
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(train[:, 0].std(), 1, rtol=1e-5)
    assert c[1, 1] == 0  # not known
    assert c[:, 2].tolist() == [1, 1, 0, 1]  # of item 2 nothing is known
    assert not c[2].any()


def test_numbered_classes_can_be_learned_as_values():
    conditions = conditions_of(ARCHIVE, "pitch:value")
    (pitch,) = conditions.sets
    assert pitch.spread is not None
    assert (pitch.spread.minimum, pitch.spread.maximum) == ((49,), (64,))
    c = conditions.of_items(ARCHIVE, ITEMS)
    notes = np.array([60, 64, 49])
    np.testing.assert_allclose(c[[0, 1, 3], 0], (notes - notes.mean()) / notes.std(), rtol=1e-4)  # six digits of both
    assert c[2].tolist() == [0, 0]


def test_what_is_missing_is_counted_by_set():
    assert conditions_of(ARCHIVE, True).without(ARCHIVE, ITEMS) == (1, 1, 2)
    assert conditions_of(ARCHIVE, "pitch:value").without(ARCHIVE, TRAIN) == (0,)


def test_a_row_of_values_is_the_items_row():
    conditions = conditions_of(ARCHIVE, "deep")
    assert np.array_equal(conditions.sets[0].row((5, 30)), conditions.of_items(ARCHIVE, ITEMS)[3])


def test_they_come_back_from_a_header():
    conditions = conditions_of(ARCHIVE, "kind,pitch:value,deep")
    assert Conditions.from_list(json.loads(json.dumps(conditions.to_list()))) == conditions


def test_what_is_learned_is_told():
    told = [one.told() for one in conditions_of(ARCHIVE, "kind,pitch:value,deep").sets]
    assert told[0] == "kind: 2 classes (a, b)"
    assert told[1].startswith("pitch: a value, 49 to 64 (mean 57.6667, deviation ")
    assert told[2] == "deep: 2 values"


def test_a_single_value_changes_the_direction_of_the_vector_not_its_sign_alone():
    condition = Condition("x", "values", spread=Spread((0,), (1,), (-2,), (2,)))
    low, high = (condition.row((value,)) / np.linalg.norm(condition.row((value,))) for value in (0.5, 1.5))
    assert low @ high < 0.95  # else nothing but the sign would be left when the embedding is normalised


@pytest.mark.parametrize(
    ("cond", "said"),
    [
        ("tempo", "has no label set 'tempo'; there is kind, pitch, deep"),
        ("kind:value", "its class 'a' is no number or note"),
        ("kind:loud", "'loud' is no kind of label"),
        ("deep:class", "holds values, not classes"),
    ],
)
def test_mistakes_are_named(cond, said):
    with pytest.raises(UserError, match=r"^--cond=") as error:
        conditions_of(ARCHIVE, cond)
    assert said in str(error.value)


def test_cond_is_a_boolean_or_names():
    assert [parse_cond(text) for text in ("1", "True", "yes")] == [True] * 3
    assert [parse_cond(text) for text in ("0", "False", "none")] == [False] * 3
    assert parse_cond("kind, pitch:value") == "kind,pitch:value"
    with pytest.raises(UserError, match="names a label set twice"):
        parse_cond("kind,kind:value")
