# SPDX-License-Identifier: Apache-2.0
"""A training from beginning to end: a new run or one that goes on, ticks, snapshots, and a clean leave."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from patches.errors import UserError
from patches.runs.assemble import Assembly
from patches.runs.directory import Run
from patches.runs.interrupt import Stop
from patches.runs.reporter import Log, Reporter
from patches.runs.resume import Resume
from patches.runs.states import read_state
from patches.runs.ticker import Ticker
from stylegan3.training.loop import run as train_loop
from stylegan3.training.trainer import NonFiniteLossError, Trainer


@dataclass
class Session:
    """One process's part of a run.

    Args:
        resume: the state to go on from exactly; None: a new run.
        begin_with: brings weights into the trainer before a new run's first iteration, and says what it did.
        advance: shows a sign of life after every iteration (images so far).
    """

    assembly: Assembly
    device: torch.device
    echo: Callable[[str], None]
    resume: Resume | None = None
    begin_with: Callable[[Trainer], list[str]] | None = None
    advance: Callable[[int], None] = lambda images: None

    def run(self) -> Run:
        """Train until --kimg, a signal or the time limit; return the run.

        Raises:
            UserError: a loss that isn't finite, a full disk, a state of another network.
        """
        options = self.assembly.resolved.options
        with Stop(options.time_limit) as stop:
            trainer = Trainer(self.assembly.setup, self.device)
            if self.resume is None:
                said = self.begin_with(trainer) if self.begin_with else []
                run = Run.create(Path(options.outdir), options)
            else:
                run, said = self.resume.run, take_up(self.resume, trainer)
            log = Log(run.path / "log.txt", self.echo)
            try:
                for line in (*said, f"Run: {run.path}"):
                    log(line)
                run.write_options(self.assembly.to_dict())
                with Reporter(run.path, trainer.images) as reporter:
                    self._train(trainer, Ticker(self.assembly, run, trainer, reporter, log, stop), stop)
            finally:
                log.close()
        return run

    def _train(self, trainer: Trainer, ticker: Ticker, stop: Stop) -> None:
        options = self.assembly.resolved.options
        if self.resume is None:
            ticker.begin()
        stop.working()
        try:
            for progress in train_loop(
                trainer, kimg=options.kimg, kimg_per_tick=options.tick, workers=options.workers, stop=stop
            ):
                self.advance(progress.images)
                if progress.tick is not None:
                    ticker.tick(progress)
                if progress.stopped is not None:
                    ticker.leave(progress.stopped)
        except NonFiniteLossError as error:
            last = ticker.snapshots.last or (self.resume and self.resume.state)
            raise UserError(f"{error}; training stopped, the last good state is {last}") from error


def take_up(resume: Resume, trainer: Trainer) -> list[str]:
    """Load a state and cut what is newer than it; return what to tell.

    Raises:
        UserError, NetworkError: the file is broken, or of another network.
    """
    tensors, _ = read_state(resume.state)
    lost = trainer.load_state(tensors)
    cut = resume.run.cut_after(resume.state, trainer.images)
    lines = [f"Resuming {resume.state} at {trainer.images / 1000:g} kimg"]
    if cut:
        lines.append(
            f"  newer files of the run are removed and come again: {', '.join(cut[:6])}{' ...' * (len(cut) > 6)}"
        )
    if lost:
        lines.append(f"  the state was pruned: {' and '.join(lost)} start anew, so this is not bit for bit")
    return lines


def already_there(kimg: float, images: int) -> str | None:
    """Say that a run has reached its goal and how to go further; None where it hasn't."""
    if images < kimg * 1000:
        return None
    return (
        f"--kimg={kimg:g} is reached already ({images / 1000:g} kimg); "
        f"to go further: --kimg={2 * kimg:g} in all, or --kimg=+{kimg:g}"
    )


def load_weights(trainer: Trainer, networks: dict[str, dict[str, Tensor]]) -> None:
    """Put weights of G, D and G_ema into a trainer before its first iteration."""
    for name, tensors in networks.items():
        trainer.load_network(name, tensors)
