# SPDX-License-Identifier: Apache-2.0
"""Scores against opinions: known correlations, and systems found by the names that files give them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from patches.scores.listening.correlation import correlations, read_scores, with_opinions
from patches.scores.rows import Score
from stylegan3.metrics.estimate import Estimate


def row(system: str, kad: float, **more) -> Score:
    return Score("kad", "log-mel 2", system, "network", {"kad": Estimate(kad)}, count=8, **more)


def test_correlations_are_those_of_scipy_with_fishers_interval():
    x, y = np.random.default_rng(0).normal(size=(2, 12))
    found = correlations(x, y + x)
    pearson = stats.pearsonr(x, y + x)
    interval = pearson.confidence_interval(0.95)
    assert found["pearson"].value == pytest.approx(pearson.statistic)
    assert (found["pearson"].low, found["pearson"].high) == pytest.approx((interval.low, interval.high))
    assert found["spearman"].value == pytest.approx(stats.spearmanr(x, y + x).statistic)
    assert found["spearman"].low < found["spearman"].value < found["spearman"].high


def test_ranks_see_a_curve_as_a_line():
    x = np.arange(1.0, 9.0)
    found = correlations(x, -np.exp(x))
    assert found["spearman"].value == pytest.approx(-1)
    assert -0.9 < found["pearson"].value < -0.6


@pytest.mark.parametrize(("xs", "ys"), [([1, 2], [1, 2]), ([1, 1, 1, 1], [1, 2, 3, 4]), ([], [])])
def test_too_few_or_constant_ones_have_none(xs: list[float], ys: list[float]):
    assert math.isnan(correlations(xs, ys)["pearson"].value)


def test_three_systems_have_no_interval():
    found = correlations([1, 2, 4], [1, 3, 2])["pearson"]
    assert math.isfinite(found.value)
    assert math.isnan(found.low)


def test_rows_find_their_systems_by_name_or_by_run_and_name(tmp_path: Path):
    opinions = {"one/net": 1.0, "two/net": 2.0, "held-out real": 5.0, "never scored": 3.0}
    scores = [
        (tmp_path / "one/metric-kad.jsonl", row("net", 9)),
        (tmp_path / "one/metric-kad.jsonl", row("net", 4)),  # again: the later counts
        (tmp_path / "two/metric-kad.jsonl", row("net", 3)),
        (tmp_path / "two/metric-kad.jsonl", row("held-out real", 0)),
        (tmp_path / "two/metric-kad.jsonl", row("never heard", 7)),
    ]
    (found,) = with_opinions(scores, opinions)
    assert (found.metric, found.features, found.value, found.systems) == ("kad", "log-mel 2", "kad", 3)
    assert found.by_name["pearson"].value == pytest.approx(stats.pearsonr([4, 3, 0], [1, 2, 5]).statistic)
    assert found.by_name["spearman"].value == pytest.approx(-1)


def test_files_of_scores_come_back_and_others_are_named(tmp_path: Path):
    good, bad = tmp_path / "metric-kad.jsonl", tmp_path / "bad.jsonl"
    good.write_text(json.dumps(row("net", 4).to_dict()) + "\n\n")
    bad.write_text('{"metric": "kad"}\n')
    rows, left_out = read_scores([good, bad, tmp_path / "none.jsonl"])
    assert [(path, score.system, score.values["kad"].value) for path, score in rows] == [(good, "net", 4)]
    assert left_out[0] == f"{bad}: not JSON lines of scores: left out"
    assert "none.jsonl: No such file" in left_out[1]
