# SPDX-License-Identifier: Apache-2.0
import pytest

from patches.errors import UserError
from patches.scores.choose import METRICS
from patches.scores.names import DEFAULT, NAMES, parse_metrics


def test_every_name_is_a_metric_and_every_metric_has_its_name():
    assert tuple(METRICS) == NAMES
    assert set(DEFAULT) <= set(NAMES)


@pytest.mark.parametrize(
    ("text", "names"),
    [("none", ()), ("None", ()), ("kad", ("kad",)), ("KAD, defects,kad", ("kad", "defects")), ("all", NAMES)],
)
def test_names_are_read_each_once_in_the_order_given(text, names):
    assert parse_metrics(text) == names


@pytest.mark.parametrize("text", ["fid50k_full", "kad,none", "all,kad"])
def test_a_name_that_is_none_is_told_with_those_that_are(text):
    with pytest.raises(UserError, match="allowed are kad, frechet"):
        parse_metrics(text)
