# SPDX-License-Identifier: Apache-2.0
"""Mean opinion scores: known answers, and intervals that hold what they promise."""

import math

import numpy as np
import pytest

from patches.scores.listening.answers import Answer
from patches.scores.listening.opinion import by_device, consistency, opinion, opinions

T_1, T_9 = 12.706204736, 2.262157163  # Student's t, 0.975, of 1 and 9 degrees of freedom (tables)


def table(ratings: list[list[float]]) -> dict:
    """Shape: [listeners][clips]."""
    return {(f"l{i}", f"c{j}"): rating for i, row in enumerate(ratings) for j, rating in enumerate(row)}


def test_with_one_clip_the_interval_is_students_over_listeners():
    ratings = [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]
    found = opinion(table([[rating] for rating in ratings]))
    reach = T_9 * np.std(ratings, ddof=1) / math.sqrt(10)
    assert (found.mos.value, found.mos.low, found.mos.high) == pytest.approx((3, 3 - reach, 3 + reach))
    assert (found.ratings, found.listeners, found.clips) == (10, 10, 1)


def test_with_one_listener_it_is_students_over_clips():
    found = opinion(table([[3, 4]]))
    assert found.mos.value == 3.5
    assert (found.mos.low, found.mos.high) == (1, 5)  # 3.5 +- 12.7 * 0.5 = 6.35, held to the scale
    assert pytest.approx(6.353, abs=1e-3) == T_1 * 0.5


def test_listeners_and_clips_both_widen_it():
    # listeners' means 2 and 4, clips' means 2.5 and 3.5: v_L = 2 / 2, v_C = 0.5 / 2, f = 1.25^2 / (1 + 1 / 16)
    found = opinion(table([[1.5, 2.5], [3.5, 4.5]]))
    assert found.mos.value == 3
    freedom = 1.25**2 / (1 + 1 / 16)
    assert freedom == pytest.approx(1.470588, abs=1e-6)
    assert (found.mos.low, found.mos.high) == (1, 5)
    many = opinion(table([[2.5, 3.5] * 50, [3.0, 3.0] * 50]))
    assert many.mos.low > 2.8
    assert many.mos.high < 3.2


def test_a_listener_counts_once_however_many_clips_were_rated():
    ratings = {("busy", f"c{i}"): 5 for i in range(9)} | {("brief", "c0"): 1}
    assert opinion(ratings).mos.value == 3


def test_agreement_leaves_nothing_open_one_rating_everything_none_nothing():
    agreed = opinion(table([[4, 4], [4, 4]])).mos
    assert (agreed.value, agreed.low, agreed.high) == (4, 4, 4)
    single = opinion(table([[2]])).mos
    assert single.value == 2
    assert math.isnan(single.low)
    assert math.isnan(opinion({}).mos.value)


def test_intervals_hold_the_true_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    listeners, clips, true, held = 8, 10, 3.0, 0
    for _ in range(400):
        effects = rng.normal(0, 0.3, (listeners, 1)) + rng.normal(0, 0.3, (1, clips))
        found = opinion(table((true + effects + rng.normal(0, 0.3, (listeners, clips))).tolist())).mos
        held += found.low <= true <= found.high
    assert held / 400 >= 0.93  # 0.95 but for chance: a deviation of 400 draws is 0.011


def test_treating_ratings_as_independent_would_not():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        ratings = 3 + rng.normal(0, 0.3, (8, 1)) + rng.normal(0, 0.3, (1, 10)) + rng.normal(0, 0.3, (8, 10))
        held += abs(ratings.mean() - 3) <= 1.99 * ratings.std(ddof=1) / math.sqrt(80)
    assert held / 200 < 0.75


def test_systems_and_devices_stand_apart_and_repeats_count_for_consistency_alone():
    answers = [
        Answer("x", "headphones", (("c1", 5), ("c2", 1), ("c1", 3))),
        Answer("y", "phone", (("c1", 3), ("c2", 2), ("c2", 2))),
    ]
    clips = {"c1": "real", "c2": "fake", "c3": "unheard"}
    found = opinions(answers, clips, ["real", "fake", "unheard"])
    assert {name: one.mos.value for name, one in found.items() if one.ratings} == {"real": 4, "fake": 1.5}
    assert found["unheard"].ratings == 0
    devices = by_device(answers, lambda some: opinions(some, clips, ["real", "fake"]))
    assert {name: one["real"].mos.value for name, one in devices.items()} == {"headphones": 5, "phone": 3}
    again = consistency(answers)
    assert (again.pairs, again.equal, again.within_one, again.mean_difference) == (2, 0.5, 0.5, 1)
    assert math.isnan(consistency([Answer("z", "phone", (("c1", 3),))]).equal)
