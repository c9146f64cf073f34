# SPDX-License-Identifier: Apache-2.0
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patches.scores.report.axis import Axis, spanning

finite = st.floats(-1e6, 1e6, allow_nan=False)


def test_a_linear_axis_places_its_ends_and_its_middle():
    axis = Axis(0.0, 10.0, 200.0, 100.0)
    assert [axis.place(value) for value in (0, 5, 10)] == [200, 150, 100]


def test_a_logarithmic_axis_places_equal_ratios_at_equal_distances():
    axis = Axis(0.1, 1000.0, 0.0, 400.0, log=True)
    assert [axis.place(value) for value in (0.1, 1, 10, 100, 1000)] == pytest.approx([0, 100, 200, 300, 400])


def test_what_lies_outside_is_put_on_the_edge():
    axis = Axis(0.0, 1.0, 0.0, 10.0)
    assert (axis.place(-5), axis.place(5)) == (0, 10)


def test_only_positive_values_far_apart_make_an_axis_logarithmic():
    assert spanning([0.1, 50], 0, 1).log
    assert not spanning([1, 5], 0, 1).log
    assert not spanning([-0.1, 50], 0, 1).log


def test_ticks_are_round():
    assert Axis(0.0, 1.0, 0, 1).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert Axis(0.5, 200.0, 0, 1, log=True).ticks() == pytest.approx([1, 10, 100])


@given(st.lists(finite, min_size=1, max_size=9))
def test_an_axis_holds_all_that_it_spans_and_has_ticks_on_it(values):
    axis = spanning(values, 0.0, 100.0)
    assert axis.low < axis.high
    assert all(axis.holds(value) and 0 <= axis.place(value) <= 100 for value in values)
    assert all(
        axis.holds(tick) or math.isclose(tick, axis.low) or math.isclose(tick, axis.high) for tick in axis.ticks()
    )


def test_an_axis_over_nothing_is_an_axis():
    axis = spanning([math.nan], 0.0, 1.0)
    assert axis.low < axis.high
