# SPDX-License-Identifier: Apache-2.0
"""The training loop: takes iterations and yields ticks; whoever listens writes logs, sheets and snapshots.

Ticks fall on absolute multiples of kimg_per_tick, so that an interrupted run ticks where an uninterrupted one does.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from stylegan3.training.trainer import Trainer
from stylegan3.training.transfer import ahead


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Args:
        tick: ticks that lie behind; None between two ticks (a mere sign of life, once an iteration).
        seconds: in iterations since the loop began or the last tick; data_seconds of them waiting for data.
        other_seconds: that passed between the last tick and the iteration after it: what was done at it.
        stats: means over the tick that ends here; empty between ticks.
        stopped: why the loop ends here before its goal, as `stop` said.
        said: what the trainer decided in this iteration, a line each.
    """

    images: int
    tick: int | None
    done: bool
    seconds: float
    data_seconds: float
    other_seconds: float
    images_since: int
    stats: Mapping[str, Mapping[str, float]]
    stopped: str | None = None
    said: tuple[str, ...] = ()


def run(
    trainer: Trainer, *, kimg: float, kimg_per_tick: float, workers: int, stop: Callable[[], str | None]
) -> Iterator[Progress]:
    """Train until `kimg` thousand images (of the run's whole life) were shown; yield after every iteration.

    Args:
        stop: asked after each iteration; a reason ends the loop with that iteration. It must be the same on all ranks.

    Raises:
        NonFiniteLossError: at the end of the tick in which a loss was not finite.
    """
    goal, per_tick = round(kimg * 1000), round(kimg_per_tick * 1000)
    began, waited, other, images_before = time.perf_counter(), 0.0, 0.0, trainer.images
    stored = trainer.batches(workers)
    with closing(stored), closing(ahead(stored, trainer.device)) as source:
        while trainer.images < goal:
            asked = time.perf_counter()
            pictures, labels = next(source)
            waited += time.perf_counter() - asked
            ticks_before = trainer.images // per_tick
            trainer.step(pictures, labels)
            done, reason = trainer.images >= goal, stop()
            ticked = trainer.images // per_tick > ticks_before or done
            stats = {}
            if ticked or reason:
                trainer.check()
                trainer.stats.gather(trainer.ranks)
            if ticked:
                stats = trainer.stats.read()
                trainer.stats.clear()
            ended = time.perf_counter()
            yield Progress(
                images=trainer.images,
                tick=trainer.images // per_tick if ticked else None,
                done=done,
                seconds=ended - began,
                data_seconds=waited,
                other_seconds=other,
                images_since=trainer.images - images_before,
                stats=stats,
                stopped=None if done else reason,
                said=tuple(trainer.said()),
            )
            if ticked:
                began, waited, images_before = time.perf_counter(), 0.0, trainer.images
                other = began - ended
            if reason:
                return
