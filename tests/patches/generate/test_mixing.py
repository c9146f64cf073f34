# SPDX-License-Identifier: Apache-2.0
import pytest

from patches.errors import UserError
from patches.generate.mixing import Grid, parse_grid
from patches.generate.points import Point


def test_a_grid_makes_each_seed_once_then_every_pair():
    grid = parse_grid("3,4", "4-6", "2,0-1")
    sources, cells = (list(group) for group in grid.groups())
    assert [part.point for part in sources] == [Point(seed) for seed in (3, 4, 5, 6)]
    assert [(p.point.seed, p.point.other) for p in cells] == [(r, c) for r in (3, 4) for c in (4, 5, 6)]
    assert {(p.point.amount, p.point.layers) for p in cells} == {(1.0, (0, 1, 2))}
    assert grid.count == len(sources) + len(cells)


def test_sources_stand_along_the_edges_and_pairs_where_they_cross():
    sources, cells = (list(group) for group in Grid((3, 4), (4, 5), (0,)).groups())
    assert {part.point.seed: part.cells for part in sources} == {3: ((1, 0),), 4: ((2, 0), (0, 1)), 5: ((0, 2),)}
    assert [part.cells for part in cells] == [((1, 1),), ((1, 2),), ((2, 1),), ((2, 2),)]


def test_names_tell_row_column_and_layers():
    names = [part.point.stem for part in list(Grid((3,), (7, 12345), (0, 1, 2, 6)).groups())[1]]
    assert names == ["seed0003-0007_l0-2+6", "seed0003-12345_l0-2+6"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("0-4", None, "0-6"), "--style-cols: missing"),
        ((None, "1", None), "--style-rows, --style-layers: missing"),
        (("0-", "1", "0"), "--style-rows=0-"),
        (("0", "a", "0"), "--style-cols=a"),
        (("0", "1", "6-0"), "--style-layers=6-0.*backwards"),
        (("0-999", "0-10", "0"), "1000 x 11"),
    ],
)
def test_bad_grids_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        parse_grid(*options)
