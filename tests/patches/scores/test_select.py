# SPDX-License-Identifier: Apache-2.0
import pytest

from patches.errors import UserError
from patches.scores.select import Chosen, best, exhausted
from stylegan3.metrics.estimate import Estimate
from tests.patches.scores.rows import anchor, network

KAD = Chosen("kad")


@pytest.mark.parametrize("text", ["kad", "kad.kad", "kad:log-mel", "prdc.recall:musicnn"])
def test_a_choice_reads_back_as_it_was_given(text):
    assert Chosen.parse(text).told == text


def test_the_least_kad_is_best_and_a_clear_lead_is_said_to_be_one():
    found = best([anchor(), network(1, 9.0), network(2, 3.0), network(3, 5.0)], KAD)
    assert (found.row.kimg, found.doubtful, found.others) == (2, (), 2)
    assert "really better than all others (2)" in found.lines()[0]


def test_a_lead_within_the_intervals_may_be_chance():
    found = best([network(1, 9.0), network(2, 3.0, 0.4), network(3, 3.3, 0.4)], KAD)
    assert [row.kimg for row in found.doubtful] == [3]
    assert "network-snapshot-000003 3.3 (2.9 to 3.7) may be chance (1 of 2)" in found.lines()[1]


def test_the_border_of_a_real_lead_is_1_96_standard_errors_of_the_difference():
    apart = (0.4**2 + 0.4**2) ** 0.5  # both intervals are +- 1.96 standard errors
    assert best([network(1, 3.0, 0.4), network(2, 3.0 + 0.99 * apart, 0.4)], KAD).doubtful
    assert not best([network(1, 3.0, 0.4), network(2, 3.0 + 1.01 * apart, 0.4)], KAD).doubtful


def test_without_intervals_no_lead_is_sure():
    rows = [network(kimg, value, float("nan")) for kimg, value in ((1, 9.0), (2, 3.0))]
    assert len(best(rows, KAD).doubtful) == 1


def test_of_shares_of_what_is_wanted_the_highest_is_best():
    rows = [
        network(
            kimg, 0, metric="prdc", values={"precision": Estimate(p, p, p), "recall": Estimate(1 - p, 1 - p, 1 - p)}
        )
        for kimg, p in ((1, 0.2), (2, 0.9))
    ]
    assert best(rows, Chosen("prdc")).row.kimg == 2
    assert best(rows, Chosen("prdc", "recall")).row.kimg == 1


def test_the_figure_left_out_is_the_first_of_which_one_way_is_better():
    values = {"near_train": Estimate(0.1), "near_duplicates": Estimate(0.2, 0.1, 0.3)}
    assert best([network(1, 0, metric="novelty", values=values)], Chosen("novelty")).figure == "near_duplicates"
    with pytest.raises(UserError, match="neither more nor less of near_train is better"):
        best([network(1, 0, metric="novelty", values=values)], Chosen("novelty", "near_train"))


def test_features_are_chosen_by_name_and_the_first_are_the_default():
    rows = [network(1, 1.0), network(2, 2.0)]
    rows += [network(1, 8.0, features="waveform 1"), network(2, 7.0, features="waveform 1")]
    assert best(rows, KAD).row.kimg == 1
    assert best(rows, Chosen("kad", features="waveform")).row.kimg == 2


def test_scores_that_are_no_numbers_win_nothing():
    assert best([network(1, float("nan")), network(2, 5.0)], KAD).row.kimg == 2


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (Chosen("ndb"), "no snapshot has that score; there is kad.kad"),
        (Chosen("kad", "recall"), "no snapshot has that score"),
        (Chosen("kad", features="musicnn"), "no snapshot has that score"),
    ],
)
def test_a_score_that_is_not_there_is_told_with_those_that_are(chosen, said):
    with pytest.raises(UserError, match=said):
        best([network(1, 1.0)], chosen)


def test_a_figure_of_which_neither_way_is_better_chooses_nothing():
    row = network(1, 0, metric="defects", values={"centroid_hz": Estimate(900.0)})
    with pytest.raises(UserError, match="neither more nor less of centroid_hz"):
        best([row], Chosen("defects", "centroid_hz"))


def test_patience_ends_when_the_best_is_so_old_and_not_before():
    rows = [network(kimg, value) for kimg, value in ((10, 5.0), (20, 3.0), (30, 3.5), (40, 4.0))]
    assert exhausted(rows, KAD, 21) is None
    found = exhausted(rows, KAD, 20)
    assert found is not None
    assert found.row.kimg == 20


def test_a_training_that_still_gets_better_keeps_its_patience():
    assert exhausted([network(kimg, 100 - kimg) for kimg in (10, 20, 30, 40)], KAD, 10) is None
