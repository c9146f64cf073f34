# SPDX-License-Identifier: Apache-2.0
from patches.scores.tables import tables, told
from stylegan3.metrics.estimate import Estimate
from tests.patches.scores.rows import anchor, network


def test_a_table_shows_the_anchors_first_with_counts_seconds_and_seeds():
    lines = tables([network(1, 3.0, seconds=1.5), anchor()])
    assert lines[1] == "kad, by log-mel 1"
    assert lines[2].split() == ["kad", "v", "sounds", "against", "seconds", "seeds"]
    assert lines[3].split() == ["train", "real", "0.5", "(0.4", "to", "0.6)", "100", "50", "0", "-"]
    assert lines[4].split() == ["network-snapshot-000001", "3", "(2.9", "to", "3.1)", "100", "50", "1.5", "0-99"]


def test_a_score_without_its_anchor_is_not_printed_and_that_is_said():
    lines = tables([network(1, 3.0), anchor(features="waveform 1")])
    assert "network-snapshot-000001" not in "\n".join(lines)
    assert lines[-1] == "kad on log-mel 1: has no anchor and isn't shown"


def test_columns_stand_below_each_other():
    lines = tables([anchor("held-out real"), anchor("x", 123.456), network(1, 3.0)])
    starts = {line.index("100") for line in lines[3:]}
    assert len(starts) == 1


def test_shares_are_told_in_percent_and_what_is_no_number_as_a_dash():
    assert told("recall", Estimate(0.256, 0.2, 0.3)) == "25.6 (20.0 to 30.0) %"
    assert told("kad", Estimate(float("nan"))) == "-"
    assert told("kad", Estimate(2.0)) == "2"


def test_notes_stand_below_their_table_once():
    rows = [anchor(notes=("few",)), network(1, 3.0, notes=("few",))]
    assert [line for line in tables(rows) if "few" in line] == ["  few"]
