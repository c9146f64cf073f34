# SPDX-License-Identifier: Apache-2.0
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from patches.scores.report.plot import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, curve, histograms
from stylegan3.metrics.estimate import Estimate
from tests.patches.scores.report.support import near

FLOOR, CEILING = HEIGHT - BOTTOM, TOP
ROUNDING = 0.02  # of a place, which is written with two decimals


def places(shape: ElementTree.Element) -> np.ndarray:
    return np.array([[float(one) for one in pair.split(",")] for pair in shape.attrib["points"].split()])


def drawn(points, levels=None, title="kad over kimg"):
    svg, far = curve(points, title, "kimg", levels or {})
    return ElementTree.fromstring(svg), far


def dots(svg: ElementTree.Element) -> np.ndarray:
    return np.array([[float(dot.attrib["cx"]), float(dot.attrib["cy"])] for dot in svg.iter("circle")])


def test_points_stand_where_the_numbers_say():
    svg, _ = drawn([(0, Estimate(1.0)), (10, Estimate(2.0)), (40, Estimate(5.0))])
    found = dots(svg)
    # Linear: kimg 10 is a quarter of the way, and so is 2 between 1 and 5.
    share = (found[1] - found[0]) / (found[2] - found[0])
    assert share == pytest.approx([0.25, 0.25], abs=1e-3)
    assert places(svg.find("polyline")) == pytest.approx(found, abs=ROUNDING)
    assert found[0, 1] > found[2, 1]  # larger is higher
    assert ((found[:, 0] >= LEFT) & (found[:, 0] <= WIDTH - RIGHT)).all()
    assert ((found[:, 1] >= CEILING) & (found[:, 1] <= FLOOR)).all()


def test_far_positive_values_go_on_a_logarithmic_axis():
    svg, _ = drawn([(0, Estimate(0.1)), (1, Estimate(1.0)), (2, Estimate(10.0))])
    ys = dots(svg)[:, 1]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=ROUNDING)


def test_the_band_holds_the_intervals():
    svg, _ = drawn([(0, Estimate(2.0, 1.0, 3.0)), (10, Estimate(2.0, 1.0, 3.0))])
    band, line = places(svg.find("polygon")), places(svg.find("polyline"))
    above, below = band[:2, 1], band[2:, 1]
    assert (above + below) / 2 == pytest.approx(line[:, 1], abs=ROUNDING)
    assert (above < line[:, 1]).all()


def test_a_line_is_broken_where_a_value_is_missing():
    svg, _ = drawn([(x, Estimate(math.nan if x == 2 else float(x))) for x in range(5)])
    assert [len(places(line)) for line in svg.iter("polyline")] == [2, 2]
    assert len(dots(svg)) == 4


def test_an_anchor_is_a_level_at_its_value():
    svg, far = drawn([(0, Estimate(1.0)), (10, Estimate(3.0))], {"held-out real": near(3.0)})
    level = next(line for line in svg.iter("line") if "level" in line.attrib["class"])
    assert float(level.attrib["y1"]) == pytest.approx(dots(svg)[1, 1], abs=ROUNDING)
    assert far == []


def test_an_anchor_far_from_the_curve_is_told_instead_of_drawn():
    svg, far = drawn([(0, Estimate(-1.0)), (10, Estimate(3.0))], {"low-pass": near(80.0), "real": near(0.0)})
    assert far == ["low-pass"]
    assert sum("level" in line.attrib["class"] for line in svg.iter("line")) == 1


def test_a_plot_has_a_name_for_who_cannot_see_it():
    svg, _ = drawn([(0, Estimate(1.0)), (1, Estimate(2.0))], title="kad <a> over kimg")
    assert svg.attrib["role"] == "img"
    assert svg.attrib["aria-label"] == "kad <a> over kimg"
    assert svg.find("title").text == "kad <a> over kimg"


def test_histograms_show_shares_over_the_same_bins():
    svg = ElementTree.fromstring(histograms({"a": [0.0] * 3 + [10.0], "b": [10.0] * 7, "none": []}, "t", "x", bins=2))
    a, b, none = (places(shape) for shape in svg.iter("polygon"))
    heights = FLOOR - np.array([a[1, 1], a[3, 1], b[1, 1], b[3, 1]])
    assert heights / heights[3] == pytest.approx([0.75, 0.25, 0, 1], abs=1e-3)
    assert (a[:, 0] == b[:, 0]).all()
    assert none[:, 1] == pytest.approx(FLOOR)


def test_what_is_not_finite_is_not_counted():
    with_nan = histograms({"a": [1.0, 2.0, math.nan, math.inf]}, "t", "x")
    assert with_nan == histograms({"a": [1.0, 2.0]}, "t", "x")
    assert not re.search("nan|inf", with_nan)
