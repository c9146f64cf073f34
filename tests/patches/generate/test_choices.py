# SPDX-License-Identifier: Apache-2.0
import pytest

from patches.conditions import Condition, Conditions
from patches.errors import UserError
from patches.generate.choices import Settings, check_subtype, parse_numbers, parse_shift
from patches.generate.conditions import Chosen


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0-3", (0, 1, 2, 3)), ("1,2,5-8", (1, 2, 5, 6, 7, 8)), ("7", (7,)), ("3, 1 ,3", (3, 1)), ("5-5", (5,))],
)
def test_seeds_are_numbers_and_ranges_each_once_in_order(text, seeds):
    assert parse_numbers(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1,,2", "5-2", "-3", "1-", "1.5", "0-99999999999", "9" * 30, "²"])
def test_malformed_seeds_are_refused_in_one_line(text):
    with pytest.raises(UserError, match="--seeds=") as error:
        parse_numbers(text)
    assert "\n" not in str(error.value)


def test_file_names_tell_what_is_not_default():
    assert Settings().suffix() == ""
    assert Settings(psi=0.7).suffix() == "_psi0.70"
    classes = Conditions((Condition("class", "classes", ("a", "b", "c", "d")),))
    assert Settings(psi=0.705, condition=Chosen(classes, ((0.0, 0.0, 0.0, 1.0),))).suffix() == "_psi0.705_c3"
    assert Settings(noise_mode="none").suffix() == "_nonoise"
    assert Settings(noise_mode="const").suffix() == "_const"


def test_settings_that_differ_never_share_a_name():
    settings = [
        Settings(psi=p, noise_mode=n, rotate=r)
        for p in (1, 0.7, 0.701)
        for n in ("const", "random", "none")
        for r in (0, 5)
    ]
    assert len({s.suffix() for s in settings}) == len(settings)


@pytest.mark.parametrize("bad", [{"psi": float("nan")}, {"noise_mode": "loud"}, {"rotate": float("inf")}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(UserError):
        Settings(**bad)


def test_an_unknown_subtype_is_refused():
    with pytest.raises(UserError, match="PCM_24"):
        check_subtype("MP3")


@pytest.mark.parametrize("text", ["1", "a,b", "1,2,3", "nan,0", ""])
def test_a_malformed_shift_is_refused(text):
    with pytest.raises(UserError, match="--translate"):
        parse_shift(text)
