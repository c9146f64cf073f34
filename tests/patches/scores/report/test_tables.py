# SPDX-License-Identifier: Apache-2.0
import math
import re
from dataclasses import replace
from html import unescape

from patches.scores.groups import grouped
from patches.scores.report.numerals import DASH
from patches.scores.report.tables import score_table
from stylegan3.metrics.estimate import Estimate
from tests.patches.scores.report.support import ANCHORS, anchors, network


def rows(html: str) -> list[list[str]]:
    """Give the text of each row's cells."""
    found = re.findall(r"<tr.*?</tr>", html)
    cells = [re.findall(r"<t[hd].*?</t[hd]>", row) for row in found]
    return [[unescape(re.sub(r"<[^>]*>", " ", cell)).strip() for cell in row] for row in cells]


def table(*scores) -> list[list[str]]:
    groups, bare = grouped(scores)
    assert bare == []
    return rows(score_table(groups[0]))


def test_a_network_stands_above_its_anchors():
    body = table(*anchors(), network(0.8))[1:]
    assert [row[0] for row in body] == ["network-snapshot-000020", *(f"{name} anchor" for name in ANCHORS)]


def test_a_row_says_its_interval_counts_seconds_seeds_and_features():
    head, row = table(network(0.8), *anchors())[:2]
    assert head[2:] == ["sounds", "against", "seconds", "seeds", "features"]
    assert row[1].split() == ["0.80", "0.70", "to", "0.90"]
    assert row[2:] == ["100", "250", "1.5", "0-99", "log-mel 2"]


def test_a_figure_that_is_nan_or_missing_is_a_dash():
    one = replace(network(0.8), values={"kad": Estimate(math.nan), "other": Estimate(1.0)})
    head, first, second = table(one, *anchors())[:3]
    assert head[1].startswith("kad")
    assert first[1] == DASH
    assert second[2] == DASH


def test_many_figures_go_down_and_systems_across():
    many = {f"figure {index}": Estimate(float(index)) for index in range(9)}
    head, *body = table(replace(network(0.8), values=many), *anchors())
    assert head == ["system", "network-snapshot-000020", *(f"{name} anchor" for name in ANCHORS)]
    assert [row[:2] for row in body[:9]] == [[name, f"{value.value:g}"] for name, value in many.items()]
    assert body[9][0].split() == ["kad", "↓"]
    assert body[10:] == [
        ["sounds", "100", "100", "100"],
        ["against", "250", "250", "250"],
        ["seconds", "1.5", "1.5", "1.5"],
        ["seeds", "0-99", DASH, DASH],
        ["features", "log-mel 2", "log-mel 2", "log-mel 2"],
    ]


def test_notes_stand_in_their_row():
    one = replace(network(0.8), notes=("two are <silent>",))
    assert "two are <silent>" in table(one, *anchors())[1][0]


def test_rows_without_an_anchor_make_no_group():
    groups, bare = grouped([network(0.8), network(1.0, metric="frechet"), *anchors("frechet")])
    assert [group.metric for group in groups] == ["frechet"]
    assert bare == ["kad on log-mel 2"]


def test_anchors_of_other_features_do_not_count():
    others = [replace(row, features="log-mel 1") for row in anchors()]
    groups, bare = grouped([network(0.8), *others])
    assert bare == ["kad on log-mel 2"]
    assert groups[0].networks == ()


def test_anchors_beside_a_history_are_taken_in_but_not_its_networks():
    groups, bare = grouped([network(0.8, 10)], [*anchors(), network(0.1, 99)])
    assert bare == []
    assert [row.kimg for row in groups[0].networks] == [10]
    assert [row.system for row in groups[0].anchors] == list(ANCHORS)


def test_a_strips_dots_lie_in_the_order_of_the_figures():
    groups, _ = grouped([network(0.8), *anchors()])
    places = [float(place) for place in re.findall(r'<circle cx="([\d.]+)"', score_table(groups[0]))]
    assert places[1] < places[0] < places[2]  # held-out .01, network .8, low-pass 3.2
