# SPDX-License-Identifier: Apache-2.0
"""The tempo and the beats of a minute of music: librosa's tempo, refined until the beats lie on the drums.

librosa's tempo (Ellis 2007: autocorrelation of rises, with a prior) comes in steps of 2.6 % and is at times two thirds
or four thirds of the music's. So its multiples by 2/3, 3/4, 4/3 and 3/2 are tried too: of a wrong one only some
harmonics of the comb (spect.beats.grid) find anything. The best is doubled or halved into the range asked for; blocks
of some seconds then tell by their phases how the tempo drifts (a parabola through most, then bent), and at last all
beats together are moved to where the level rises most, since the flux of long frames sees a drum before it sounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import log2

import numpy as np

from spect.beats.grid import NEAR, PHASES, Comb, Grid, scores
from spect.beats.library import librosa
from spect.beats.novelty import Novelty
from spect.beats.options import Beats
from spect.errors import SoundError

RELATED = (1.0, 2 / 3, 3 / 4, 4 / 3, 3 / 2)
POOL = 4  # frames to one of librosa's usual 43 a second
BLOCK_SECONDS = 6.0
ROUNDS = 3
CLEAR = 0.12  # score; noise, pads, speech and random drum hits reach 0.08, music on the beat 0.2 to 0.6
LOOSE = 0.06  # of a beat: blocks further off a curve are outliers
BUSY = 0.4  # of the mean content of blocks
ABSENT = 0.25  # of the usual block's score: below it, there is no such beat
ELSEWHERE = 0.7  # of a block's best score, on the grid, and ...
ASIDE = 0.12  # ... of a beat, from the grid to that best one: the beat is another (a loud off-beat hat comes nearer)
LEAST = 1e-3  # weight
STEADY = 0.003  # of a beat, root mean square: 1.4 ms at 130 BPM; steady music has 0.0003 to 0.0013
SNAP_SECONDS = 0.045
RISE_STEPS = 2  # of 2 ms, over which a level's rise is taken

Block = tuple[np.ndarray, np.ndarray]  # times and values of some frames


class Dropped(SoundError):
    """A segment can't be cut; the message says why."""


@dataclass(frozen=True)
class Pulse:
    """The beats of a segment, how clear they are, and the spans in seconds where the music goes another way."""

    grid: Grid
    score: float
    astray: tuple[tuple[float, float], ...] = ()


def measure(heard: Novelty, begin: float, end: float, wanted: Beats) -> Pulse:
    """Find the beats between two times of a recording, in seconds.

    Raises:
        Dropped: there is no beat, no steady one, or one of another tempo than wanted.
    """
    times, values = _frames(heard, begin, end)
    if not values.any():
        raise Dropped("nothing sets in")
    middle = (begin + end) / 2
    comb = Comb(values, heard.frame_seconds, times[0] - middle)
    tempo = _estimate(values, heard.frame_seconds, wanted)
    score, frequency, _ = max(comb.near(ratio * tempo) for ratio in RELATED)
    if score < CLEAR:
        raise Dropped(_unclear(score))
    score, frequency, phase = comb.near(_folded(60 * frequency, wanted))
    grid, blocks = Grid(middle, phase, frequency), _blocks(times, values)
    for number in range(ROUNDS):
        grid = _follow(grid, blocks, all_alike=number == 0)
    grid = _bent(grid, blocks)
    score = float(scores(values, grid.number(times), values.sum())[0])
    if score < CLEAR:
        raise Dropped(_unclear(score))
    spans = [
        (float(block[0][0]), float(block[0][-1]))
        for block, off in zip(blocks, _astray(grid, blocks), strict=True)
        if off
    ]
    return Pulse(_snapped(grid, heard, begin, end), score, tuple(spans))


def outside(bpm: float, wanted: Beats) -> str:
    """Say that a tempo isn't wanted."""
    return f"outside {wanted.lowest:g} to {wanted.highest:g} BPM ({bpm:.1f})"


def _unclear(score: float) -> str:
    return f"no clear beat ({score:.2f}, where {CLEAR:.2f} is needed and a click has 1)"


def _folded(bpm: float, wanted: Beats) -> float:
    """Double or halve a tempo into the range that is wanted, next to its target."""
    octaves = range(-3, 4)
    nearest = sorted((abs(log2(bpm * 2.0**octave / wanted.bpm)), bpm * 2.0**octave) for octave in octaves)
    low, high = wanted.lowest * (1 - NEAR), wanted.highest * (1 + NEAR)  # a part of it may yet lie inside
    inside = [tempo for _, tempo in nearest if low <= tempo <= high]
    if not inside:
        near = nearest[0][1]
        raise Dropped(outside(near, wanted))
    return inside[0]


def _frames(heard: Novelty, begin: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the times of a segment's frames, and how much sets in, low and all in equal parts. Shape: [n], [n]."""
    first = max(0, round((begin - heard.first_seconds) / heard.frame_seconds))
    rises = heard.rises[:, first : max(first + 1, round((end - heard.first_seconds) / heard.frame_seconds))]
    means = rises.mean(axis=1, keepdims=True, dtype=np.float64)
    values = np.divide(rises, means, out=np.zeros(rises.shape), where=means > 0).sum(axis=0)
    return (first + np.arange(rises.shape[1])) * heard.frame_seconds + heard.first_seconds, values


def _estimate(values: np.ndarray, frame_seconds: float, wanted: Beats) -> float:
    """Ask librosa for the tempo, in beats a minute, with its prior in the middle of what is wanted."""
    pooled = values[: len(values) // POOL * POOL].reshape(-1, POOL).mean(axis=1)
    prior = (wanted.lowest * wanted.highest) ** 0.5
    rate = 1 / (POOL * frame_seconds)
    tempo = librosa().feature.tempo(onset_envelope=pooled, sr=rate, hop_length=1, start_bpm=prior, std_bpm=0.5)
    return float(tempo[0])


def _blocks(times: np.ndarray, values: np.ndarray) -> list[Block]:
    count = max(1, round((times[-1] - times[0]) / BLOCK_SECONDS))
    return list(zip(np.array_split(times, count), np.array_split(values, count), strict=True))


def _follow(grid: Grid, blocks: Sequence[Block], *, all_alike: bool) -> Grid:
    """Move the grid onto the beats of blocks; those astray count little, unless all count alike."""
    mean = _content(blocks).mean()
    shifts, weights = np.transpose([_shift(values, grid.number(times), mean) for times, values in blocks])
    centres = np.asarray([times.mean() for times, _ in blocks]) - grid.middle
    weights = np.maximum(weights, LEAST)
    if not all_alike:
        weights[_astray(grid, blocks)] = LEAST
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


def _bent(grid: Grid, blocks: Sequence[Block]) -> Grid:
    """Bend the grid to the blocks where they lie off it together; a steady beat is left as it is."""
    mean = _content(blocks).mean()
    found = [_shift(values, grid.number(times), mean) for times, values in blocks]
    good = [
        (float(times.mean()) - grid.middle, shift, weight)
        for (times, _), (shift, weight), off in zip(blocks, found, _astray(grid, blocks), strict=True)
        if weight > CLEAR / 2 and abs(shift) < ASIDE and not off
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


def _astray(grid: Grid, blocks: Sequence[Block]) -> np.ndarray:
    """Tell which blocks are busy, but not on the grid's beats: another tempo, or a leap. Shape: [blocks] bool."""
    content = _content(blocks)
    every = np.stack([scores(values, grid.number(times), float(values.sum())) for times, values in blocks])
    own, best = every[:, 0], every.max(axis=1)
    turn = np.abs((every.argmax(axis=1) / PHASES + 0.5) % 1 - 0.5)
    elsewhere = (turn > ASIDE) & (own < ELSEWHERE * best)
    return (content > BUSY * content.mean()) & (elsewhere | (own < ABSENT * np.median(own)))


def _content(blocks: Sequence[Block]) -> np.ndarray:
    return np.asarray([float(values.sum()) for _, values in blocks])


def _snapped(grid: Grid, heard: Novelty, begin: float, end: float) -> Grid:
    """Move all beats to where the level, of all beats together, rises most."""
    step = heard.step_seconds
    levels = heard.levels[:, round(begin / step) : round(end / step)]
    number = grid.number((round(begin / step) + np.arange(levels.shape[1]) + 0.5) * step)
    reach = round(SNAP_SECONDS / step)
    offset = np.rint((number - np.rint(number)) / (grid.c1 * step)).astype(int) + reach
    near = (offset >= 0) & (offset <= 2 * reach)
    logs = np.log10(levels + 1e-4 * levels.mean(axis=1, keepdims=True) + 1e-12)[:, near]
    count = np.maximum(np.bincount(offset[near], minlength=2 * reach + 1), 1)
    profile = np.stack([np.bincount(offset[near], row, 2 * reach + 1) / count for row in logs])
    rise = (profile[:, RISE_STEPS:] - profile[:, :-RISE_STEPS]).sum(axis=0)
    seconds = (int(rise.argmax()) + RISE_STEPS / 2 - reach) * step
    return grid.moved(-seconds * grid.c1)
