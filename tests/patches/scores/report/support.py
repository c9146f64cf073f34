# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np

from patches.scores.report import Clip, Pair, Report
from patches.scores.rows import Kind, Score
from stylegan3.metrics.estimate import Estimate

RATE = 16000
ANCHORS = {"held-out real": 0.01, "4 kHz low-pass": 3.2}


def tone(hz: float, seconds: float = 0.5, channels: int = 2, peak: float = 0.5) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.repeat(peak * np.sin(2 * np.pi * hz * time)[None], channels, 0).astype(np.float32)


def clip(seed: int, hz: float = 440, seconds: float = 0.5, **more: object) -> Clip:
    return Clip(f"seed {seed}", tone(hz, seconds), RATE, seed=seed, **more)  # type: ignore[arg-type]


def near(value: float, by: float = 0.1) -> Estimate:
    return Estimate(value, value - by, value + by)


def score(system: str, value: float, kind: Kind = "anchor", metric: str = "kad", kimg: float | None = None) -> Score:
    seeds = "0-99" if kind == "network" else ""
    return Score(metric, "log-mel 2", system, kind, {metric: near(value)}, 100, 250, seeds, 1.5, kimg)


def anchors(metric: str = "kad") -> tuple[Score, ...]:
    return tuple(score(name, value, metric=metric) for name, value in ANCHORS.items())


def network(value: float, kimg: float = 20, metric: str = "kad") -> Score:
    return score(f"network-snapshot-{kimg:06.0f}", value, "network", metric, kimg)


def report() -> Report:
    """Everything that a report can show, of tones: snapshots one octave apart, seeds 60 Hz apart."""
    grid = tuple(
        (f"{10 * row} kimg", tuple(clip(seed, 220 * 2**row + 60 * seed, 0.4 + 0.1 * seed) for seed in range(4)))
        for row in range(3)
    )
    pair = Pair(grid[1][1][1], Clip("kick/<one>.wav", tone(510), RATE), {"distance": "0.42"})
    return Report(
        title="Tones & <others>",
        intro={"network": "network-snapshot-000020", "view": "cmyk"},
        scores=(network(0.8), *anchors(), network(4.0, metric="inception_score")),
        history=(network(5.0, 10), network(0.8, 20), network(math.nan, 30)),
        grid=grid,
        best=(pair,),
        worst=(Pair(clip(1, 900, loop=False)),),
        copied=(pair,),
        zoom=Clip("long", tone(100, 1.5, peak=2.0), RATE),
        distances={"outputs": [1.0, 2.0, 2.5], "held-out real": [3.0, 4.0]},
        notes=("One note.",),
    )
