# SPDX-License-Identifier: Apache-2.0
import numpy as np

from patches.generate.table import MAXIMUM_SIDE, PAPER, Table


def flat(value: int, height: int = 64, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), (value, 0, 9), np.uint8)  # labels are grey


def where(page: np.ndarray, value: int) -> tuple[np.ndarray, ...]:
    return np.nonzero((page[..., 0] == value) & (page[..., 1] == 0))


def filled() -> np.ndarray:
    table = Table(("seed 3", "seed 12"), cell=64)
    for label, value in (("1 kimg", 50), ("10 kimg", 150)):
        row = table.add_row(label)
        table.put(row, 0, flat(value))
        table.put(row, 1, flat(value + 50))
    return table.draw()


def test_snapshots_run_down_and_seeds_across():
    page = filled()
    ys, xs = where(page, 50)
    assert len(ys) == 64 * 64
    right = where(page, 100)
    below = where(page, 150)
    assert right[1].min() > xs.max()
    assert right[0].min() == ys.min()
    assert below[0].min() > ys.max()
    assert below[1].min() == xs.min()


def test_labels_are_written_at_the_edges():
    page = filled()
    ys, xs = where(page, 50)
    margin_left, margin_top = page[ys.min() :, : xs.min()], page[: ys.min(), xs.min() :]
    for margin in (margin_left, margin_top):
        assert (margin != np.array(PAPER)).any()


def test_pictures_keep_their_proportions():
    table = Table(("seed 0",), cell=64)
    table.put(table.add_row("a"), 0, flat(99, height=32, width=128))
    ys, xs = where(table.draw(), 99)
    assert (np.ptp(ys) + 1, np.ptp(xs) + 1) == (16, 64)


def test_many_seeds_shrink_the_cells():
    table = Table([f"seed {seed}" for seed in range(1000)])
    table.add_row("a")
    assert table.draw().shape[1] <= MAXIMUM_SIDE + 1000


def test_a_missing_cell_is_left_empty():
    table = Table(("seed 0", "seed 1"), cell=64)
    table.put(table.add_row("a"), 1, flat(99))
    assert where(table.draw(), 99)[0].size == 64 * 64
