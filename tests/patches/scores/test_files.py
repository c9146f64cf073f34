# SPDX-License-Identifier: Apache-2.0
import math

from patches.scores.files import append_rows, cut_rows, read_rows, write_rows
from patches.scores.rows import Score
from stylegan3.metrics.estimate import Estimate
from tests.patches.scores.rows import anchor, network


def test_a_row_comes_back_as_it_was_with_numbers_that_are_none():
    row = network(2.5, 0, values={"kad": Estimate(1.5, 1.0, 2.0), "other": Estimate(math.nan)}, notes=("a note",))
    again = Score.from_dict(row.to_dict())
    assert again.values["kad"] == row.values["kad"]
    assert math.isnan(again.values["other"].value)
    assert again.to_dict() == row.to_dict()


def test_each_metric_has_its_file_and_later_rows_come_behind(tmp_path):
    append_rows(tmp_path, [anchor(), network(1, 3.0)])
    append_rows(tmp_path, [network(2, 2.0), network(2, 0, metric="prdc")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metric-kad.jsonl", "metric-prdc.jsonl"]
    assert [row.kimg for row in read_rows(tmp_path) if row.metric == "kad"] == [None, 1, 2]


def test_what_a_kill_left_of_a_line_is_passed_over(tmp_path):
    append_rows(tmp_path, [network(1, 3.0)])
    path = tmp_path / "metric-kad.jsonl"
    path.write_text(path.read_text() + path.read_text()[:40])
    assert len(read_rows(tmp_path)) == 1


def test_a_run_that_goes_back_loses_the_scores_of_what_it_trains_again(tmp_path):
    append_rows(tmp_path, [anchor(), network(1, 3.0), network(2, 2.0), network(3, 1.0)])
    cut_rows(tmp_path, 2000)
    assert [row.kimg for row in read_rows(tmp_path)] == [None, 1, 2]


def test_writing_takes_the_place_of_what_was_there(tmp_path):
    append_rows(tmp_path, [network(1, 3.0)])
    assert write_rows(tmp_path, [anchor()]) == [tmp_path / "metric-kad.jsonl"]
    assert [row.kind for row in read_rows(tmp_path)] == ["anchor"]
