# SPDX-License-Identifier: Apache-2.0
"""The tempo and the beats of a minute of music: librosa's tempo, refined until the beats lie on the drums.

librosa's tempo (Ellis 2007: autocorrelation of rises, with a prior) comes in steps of 2.6 % and is at times two thirds
or four thirds of the music's. So its multiples by 2/3, 3/4, 4/3 and 3/2 are tried too: of a wrong one only some
harmonics of the comb (spect.beats.grid) find anything. The best is doubled or halved into the range asked for; blocks
of some seconds then tell by their phases how the tempo drifts (a parabola through most, then bent), and at last all
beats together are moved to where the level rises most, since the flux of long frames sees a drum before it sounds.
"""

from dataclasses import dataclass
from math import log2

import numpy as np

from spect.beats.follow import astray, bent, blocks_of, follow
from spect.beats.grid import NEAR, Comb, Grid, scores
from spect.beats.library import librosa
from spect.beats.novelty import Novelty
from spect.beats.options import Beats
from spect.errors import SoundError

RELATED = (1.0, 2 / 3, 3 / 4, 4 / 3, 3 / 2)
POOL = 4  # frames to one of librosa's usual 43 a second
ROUNDS = 3
CLEAR = 0.12  # score; noise, pads, speech and random drum hits reach 0.08, music on the beat 0.2 to 0.6
SNAP_SECONDS = 0.045
RISE_STEPS = 2  # of 2 ms, over which a level's rise is taken


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
    grid, blocks = Grid(middle, phase, frequency), blocks_of(times, values)
    for number in range(ROUNDS):
        grid = follow(grid, blocks, all_alike=number == 0)
    grid = bent(grid, blocks)
    score = float(scores(values, grid.number(times), values.sum())[0])
    if score < CLEAR:
        raise Dropped(_unclear(score))
    spans = [
        (float(block[0][0]), float(block[0][-1]))
        for block, off in zip(blocks, astray(grid, blocks), strict=True)
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
