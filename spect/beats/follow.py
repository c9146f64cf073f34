# SPDX-License-Identifier: Apache-2.0
"""Follow the beats through a segment: blocks of some seconds tell by their phases how the grid must move.

A parabola through the most of them (all through three blocks are tried, so that a leap doesn't drag it along), then
straight lines from block to block where players don't keep to it. Blocks whose music goes another way are astray.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from spect.beats.grid import PHASES, Grid, scores

BLOCK_SECONDS = 6.0
MOST_BLOCKS = 24  # of which all threes are tried
LOOSE = 0.06  # of a beat: blocks further off a curve are outliers
BUSY = 0.4  # of the mean content of blocks
ABSENT = 0.25  # of the usual block's score: below it, there is no such beat
ELSEWHERE = 0.7  # of a block's best score, on the grid, and ...
ASIDE = 0.12  # ... of a beat, from the grid to that best one: the beat is another (a loud off-beat hat comes nearer)
LEAST = 1e-3  # weight
STEADY = 0.003  # of a beat, root mean square: 1.4 ms at 130 BPM; steady music has 0.0003 to 0.0013
FAINT = 0.06  # score, below which a block doesn't bend the grid

Block = tuple[np.ndarray, np.ndarray]  # times and values of some frames


def blocks_of(times: np.ndarray, values: np.ndarray) -> list[Block]:
    """Part a segment's frames into blocks of some seconds."""
    count = min(MOST_BLOCKS, max(1, round((times[-1] - times[0]) / BLOCK_SECONDS)))
    return list(zip(np.array_split(times, count), np.array_split(values, count), strict=True))


def follow(grid: Grid, blocks: Sequence[Block], *, all_alike: bool) -> Grid:
    """Move the grid onto the beats of blocks; those astray count little, unless all count alike."""
    mean = _content(blocks).mean()
    shifts, weights = np.transpose([_shift(values, grid.number(times), mean) for times, values in blocks])
    centres = np.asarray([times.mean() for times, _ in blocks]) - grid.middle
    weights = np.maximum(weights, LEAST)
    if not all_alike:
        weights[astray(grid, blocks)] = LEAST
    return grid.moved(*_curve(centres, shifts, weights))


def _curve(times: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fit c0 + c1 t + c2 t^2 to the most of the values: those through each three are tried, outliers count the same."""
    degree = min(2, len(times) - 1)
    powers = times[:, None] ** np.arange(degree + 1)
    some = np.asarray(list(combinations(range(len(times)), degree + 1)))
    curves = np.linalg.solve(powers[some], values[some][..., None])[..., 0]
    off = values - curves @ powers.T  # [some, blocks]
    best = off[(np.minimum((off / LOOSE) ** 2, 1) @ weights).argmin()]
    kept = weights * (np.abs(best) < LOOSE)
    curve = np.linalg.lstsq(powers * kept[:, None], values * kept, rcond=None)[0]
    return np.pad(curve, (0, 2 - degree))


def bent(grid: Grid, blocks: Sequence[Block]) -> Grid:
    """Bend the grid to the blocks where they lie off it together; a steady beat is left as it is."""
    mean = _content(blocks).mean()
    found = [_shift(values, grid.number(times), mean) for times, values in blocks]
    good = [
        (float(times.mean()) - grid.middle, shift, weight)
        for (times, _), (shift, weight), off in zip(blocks, found, astray(grid, blocks), strict=True)
        if weight > FAINT and abs(shift) < ASIDE and not off
    ]
    if len(good) < 2:
        return grid
    centres, shifts, weights = np.transpose(good)
    if np.sqrt(np.average(shifts**2, weights=weights)) < STEADY:
        return grid
    ends = np.asarray([blocks[0][0][0], blocks[-1][0][-1]]) - grid.middle
    slopes = (shifts[[1, -1]] - shifts[[0, -2]]) / (centres[[1, -1]] - centres[[0, -2]])
    first, last = shifts[[0, -1]] + slopes * (ends - centres[[0, -1]])
    knots = [(ends[0], first), *zip(centres, shifts, strict=True), (ends[1], last)]
    return replace(grid, bend=tuple((float(time), float(shift)) for time, shift in knots))


def _shift(values: np.ndarray, number: np.ndarray, total: float) -> tuple[float, float]:
    """Tell what part of a beat, up to a quarter, must be added to a block's beat numbers, and the score it then has."""
    found = np.roll(scores(values, number, total), PHASES // 4)[: PHASES // 2 + 1]
    best = int(found[1:-1].argmax()) + 1
    before, at, after = found[best - 1 : best + 2]
    bend = before - 2 * at + after
    part = float(np.clip(0.5 * (before - after) / bend, -1, 1)) if bend < 0 else 0.0
    return (best + part - PHASES // 4) / PHASES, float(at)


def astray(grid: Grid, blocks: Sequence[Block]) -> np.ndarray:
    """Tell which blocks are busy, but not on the grid's beats: another tempo, or a leap. Shape: [blocks] bool."""
    content = _content(blocks)
    every = np.stack([scores(values, grid.number(times), float(values.sum())) for times, values in blocks])
    own, best = every[:, 0], every.max(axis=1)
    turn = np.abs((every.argmax(axis=1) / PHASES + 0.5) % 1 - 0.5)
    elsewhere = (turn > ASIDE) & (own < ELSEWHERE * best)
    return (content > BUSY * content.mean()) & (elsewhere | (own < ABSENT * np.median(own)))


def _content(blocks: Sequence[Block]) -> np.ndarray:
    return np.asarray([float(values.sum()) for _, values in blocks])
