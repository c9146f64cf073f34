# SPDX-License-Identifier: Apache-2.0
"""Mean opinion scores with intervals that count listeners and clips, both drawn from more of their kind.

Of ratings x[l, c] of one system's clips c by listeners l:

    MOS = mean over l of mean over c of x[l, c]
    v_L = variance of the listeners' means / number of listeners,  v_C = variance of the clips' means / number of clips
    MOS +- t(0.975, f) sqrt(v_L + v_C),  f = (v_L + v_C)^2 / (v_L^2 / (listeners - 1) + v_C^2 / (clips - 1))

The sum bounds the variance of a mean over two crossed random factors from above: each part holds the residual once, so
that it is counted twice (Searle, Casella, McCulloch 1992, chapter 4); f is Satterthwaite's (1946). Treating all ratings
as independent would make the interval as narrow as if each came from a new listener and a new clip. With one listener
or one clip its part can't be seen and is 0, with one rating there is no interval. Bounds are held to the scale.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from patches.scores.listening.answers import DEVICES, Answer
from stylegan3.metrics.estimate import Estimate

METHOD = (
    "mean over listeners of each one's mean over clips; 95 % interval: t with Satterthwaite's degrees of freedom on "
    "the variance of listeners' means and of clips' means, both random"
)
LOWEST, HIGHEST = 1.0, 5.0


@dataclass(frozen=True)
class Opinion:
    """What listeners think of one system."""

    mos: Estimate
    ratings: int
    listeners: int
    clips: int


@dataclass(frozen=True)
class Consistency:
    """How alike first and second ratings of the same clip are: shares of equal ones, and of those at most 1 apart."""

    pairs: int
    equal: float
    within_one: float
    mean_difference: float


def opinion(ratings: Mapping[tuple[str, str], int]) -> Opinion:
    """Score one system's ratings, by (listener, clip); NaN where there are none."""
    by_listener, by_clip = defaultdict(list), defaultdict(list)
    for (listener, clip), rating in ratings.items():
        by_listener[listener].append(rating)
        by_clip[clip].append(rating)
    listeners, clips = ([float(np.mean(one)) for one in by.values()] for by in (by_listener, by_clip))
    mos = _estimate(listeners, clips) if ratings else Estimate(math.nan)
    return Opinion(mos, len(ratings), len(listeners), len(clips))


def _estimate(listeners: Sequence[float], clips: Sequence[float]) -> Estimate:
    """Shape: means of each listener, means of each clip."""
    value = float(np.mean(listeners))
    parts = [(float(np.var(one, ddof=1)) / len(one), len(one) - 1) for one in (listeners, clips) if len(one) > 1]
    variance = sum(part for part, _ in parts)
    if not parts:
        return Estimate(value)
    if variance == 0:
        return Estimate(value, value, value)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    reach = float(stats.t.ppf(0.975, freedom)) * math.sqrt(variance)
    return Estimate(value, max(LOWEST, value - reach), min(HIGHEST, value + reach))


def opinions(answers: Sequence[Answer], clips: Mapping[str, str], systems: Iterable[str]) -> dict[str, Opinion]:
    """Score each system by the first ratings of its clips.

    Args:
        clips: clip to system.
    """
    of: dict[str, dict[tuple[str, str], int]] = {system: {} for system in systems}
    for answer in answers:
        for clip, rating in answer.first.items():
            of[clips[clip]][answer.listener, clip] = rating
    return {system: opinion(ratings) for system, ratings in of.items()}


def by_device(answers: Sequence[Answer], score: Callable[[Sequence[Answer]], dict[str, Opinion]]) -> dict[str, dict]:
    """Score the listeners of each device apart, in the order of DEVICES; those that nobody used are left out."""
    heard_on = {device: [one for one in answers if one.device == device] for device in DEVICES}
    return {device: score(some) for device, some in heard_on.items() if some}


def consistency(answers: Sequence[Answer]) -> Consistency:
    """Compare first and second ratings; NaN where no clip was heard twice."""
    pairs = [pair for answer in answers for pair in answer.repeats]
    if not pairs:
        return Consistency(0, math.nan, math.nan, math.nan)
    apart = np.abs(np.diff(np.asarray(pairs), axis=1))
    return Consistency(len(pairs), float((apart == 0).mean()), float((apart <= 1).mean()), float(apart.mean()))
