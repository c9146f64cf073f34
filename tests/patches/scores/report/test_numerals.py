# SPDX-License-Identifier: Apache-2.0
import math

import pytest

from patches.scores.report.numerals import DASH, in_unit, named, number, written
from stylegan3.metrics.estimate import Estimate


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0, "0"), (0.123456, "0.123"), (-2.5, "−2.5"), (12345.6, "12,346"), (1.5e-5, "1.50e-05"),
     (-1.5e-5, "−1.50e-05"), (math.nan, DASH), (math.inf, DASH)],
)  # fmt: skip
def test_numbers_have_three_digits_a_true_minus_and_a_dash_for_what_is_none(value, text):
    assert number(value) == text


def test_an_intervals_width_gives_the_decimals():
    assert written(Estimate(0.8412, 0.7311, 0.9512)) == ("0.84", "0.73 to 0.95")
    assert written(Estimate(4.2, 4.0, 4.4)) == ("4.20", "4.00 to 4.40")
    assert written(Estimate(1234.5, 1100.0, 1300.0)) == ("1,234", "1,100 to 1,300")


def test_a_figure_rounded_to_zero_has_no_minus():
    assert written(Estimate(-0.004, -0.5, 0.5)) == ("0.0", "−0.5 to 0.5")


def test_a_figure_without_an_interval_stands_alone():
    assert written(Estimate(0.5)) == ("0.5", "")
    assert written(Estimate(math.nan)) == (DASH, "")


def test_each_way_of_getting_better_has_its_arrow_and_says_so():
    assert "↓" in named("kad")
    assert 'aria-label="lower is better"' in named("kad")
    assert "↑" in named("recall")
    assert 'aria-label="higher is better"' in named("recall")


def test_an_unknown_figure_has_no_arrow_and_no_markup_of_its_own():
    text = named("<odd>")
    assert "↓" not in text
    assert "↑" not in text
    assert "<odd>" not in text


def test_shares_are_told_in_percent():
    assert named("recall").split("</span>")[0].endswith("recall, %")
    assert in_unit("recall", Estimate(0.5, 0.4, 0.6)) == Estimate(50, 40, 60)
    assert in_unit("kad", Estimate(0.5, 0.4, 0.6)) == Estimate(0.5, 0.4, 0.6)
