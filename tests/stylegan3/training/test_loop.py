# SPDX-License-Identifier: Apache-2.0
"""Ticks fall on absolute multiples, the end is the end of the run's life; a stop keeps the iteration going on."""

import pytest
import torch

from stylegan3.training import loop
from stylegan3.training.loop import Progress, run
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.support import setup


def told(trainer: Trainer, kimg: float, per_tick: float = 0.02, stop_at: int | None = None) -> list[Progress]:
    def stop() -> str | None:
        return "a test" if trainer.images == stop_at else None

    return list(run(trainer, kimg=kimg, kimg_per_tick=per_tick, workers=1, stop=stop))


def ticks(progress: list[Progress]) -> list[tuple[int, int | None]]:
    return [(p.images, p.tick) for p in progress if p.tick is not None]


def test_a_tick_comes_with_the_first_iteration_at_or_past_a_multiple():
    progress = told(Trainer(setup()), 0.05)
    assert [p.images for p in progress] == [8, 16, 24, 32, 40, 48, 56]  # all iterations, the last past 50
    assert ticks(progress) == [(24, 1), (40, 2), (56, 2)]  # 20, 40, and the end
    assert [p.done for p in progress] == [False] * 6 + [True]
    assert all(bool(p.stats) == (p.tick is not None) for p in progress)


@pytest.mark.parametrize("stop_at", [16, 24, 32])
def test_an_interrupted_run_ticks_where_an_uninterrupted_one_does(stop_at):
    whole = told(Trainer(setup()), 0.05)
    trainer = Trainer(setup())
    before = told(trainer, 0.05, stop_at=stop_at)
    assert before[-1].images == stop_at
    assert before[-1].stopped == "a test"
    resumed = Trainer(setup())
    resumed.load_state({name: value.clone() for name, value in trainer.state().items()})
    after = told(resumed, 0.05)
    assert ticks(before) + ticks(after) == ticks(whole)
    assert [p.stats for p in before + after if p.tick is not None] == [p.stats for p in whole if p.tick is not None]


def test_a_run_that_has_reached_its_goal_does_nothing():
    trainer = Trainer(setup())
    trainer.images = 80
    before = trainer.generator.mapping.layers[0].weight.clone()
    assert told(trainer, 0.08) == []
    assert torch.equal(trainer.generator.mapping.layers[0].weight, before)


def test_a_stop_in_the_last_iteration_is_an_end():
    progress = told(Trainer(setup()), 0.016, stop_at=16)
    assert progress[-1].done
    assert progress[-1].stopped is None


def test_a_tick_counts_its_own_pictures_and_seconds():
    progress = [p for p in told(Trainer(setup()), 0.05) if p.tick is not None]
    assert [p.images_since for p in progress] == [24, 16, 16]
    assert all(0 <= p.data_seconds <= p.seconds < 60 for p in progress)


def test_what_is_done_at_a_tick_is_not_counted_as_training(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: now[0])
    trainer, found = Trainer(setup()), []
    for progress in run(trainer, kimg=0.05, kimg_per_tick=0.02, workers=1, stop=lambda: None):
        now[0] += 1.0  # a sign of life
        if progress.tick is not None:
            now[0] += 100.0  # sheets and snapshots
            found.append((progress.seconds, progress.other_seconds))
    assert found == [(2.0, 0.0), (1.0, 101.0), (1.0, 101.0)]
