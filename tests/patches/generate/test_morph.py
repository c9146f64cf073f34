# SPDX-License-Identifier: Apache-2.0
import pytest

from patches.errors import UserError
from patches.generate.morph import parse_morph
from patches.generate.points import Point


def test_a_way_goes_from_seed_to_seed_in_equal_steps():
    points = list(parse_morph("12:40:5").points())
    between = [Point(12, 40, amount) for amount in (0.25, 0.5, 0.75)]
    assert points == [Point(12), *between, Point(40)]
    assert [p.name for p in points][::4] == ["morph0012-0040_01", "morph0012-0040_05"]


@pytest.mark.parametrize("text", ["12:40:77:16", "12:40:12:3", "1:2:3:4:5:9", "1:2:3:10"])
def test_every_named_seed_is_heard_and_the_count_is_that_of_the_whole_way(text):
    *seeds, count = (int(part) for part in text.split(":"))
    way = parse_morph(text)
    points = list(way.points())
    assert len(points) == count == way.count
    assert [p.seed for p in points if p.other is None] == seeds
    assert len({p.name for p in points}) == count
    legs = [later - earlier for earlier, later in zip(way.stations(), way.stations()[1:], strict=False)]
    assert max(legs) - min(legs) <= 1
    assert sum(legs) == count - 1


def test_names_sort_in_the_order_of_the_way():
    names = [p.name for p in parse_morph("9:1:5:120").points()]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("12:40:1", "1 sounds"),
        ("12:40:77:2", "3 seeds"),
        ("12:40", "not seeds and a count"),
        ("12:40:", "not seeds and a count"),
        ("12:-4:8", "not seeds and a count"),
        ("12:12:8", "twice"),
        ("12:40:10001", "10001 sounds"),
        (f"1:{2**63}:4", "2\\^63"),
        (":".join(str(10**18 + n) for n in range(9)) + ":16", "name"),
    ],
)
def test_bad_ways_are_refused(text, words):
    with pytest.raises(UserError, match=words) as error:
        parse_morph(text)
    assert str(error.value).startswith(f"--morph={text}: ")
