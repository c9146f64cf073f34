# SPDX-License-Identifier: Apache-2.0
"""A training from beginning to end: a new run or one that goes on, ticks, snapshots, and a clean leave."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import torch

from patches.errors import UserError
from patches.runs.agreed import agreed
from patches.runs.assemble import Assembly
from patches.runs.caching import cached
from patches.runs.directory import Run
from patches.runs.elsewhere import Outgoing, folder_of, outgoing
from patches.runs.interrupt import Stop
from patches.runs.reporter import Log, Reporter
from patches.runs.resume import Resume
from patches.runs.states import read_state
from patches.runs.ticker import Ticker, go_on
from stylegan3.errors import NetworkError
from stylegan3.training.loop import Progress
from stylegan3.training.loop import run as train_loop
from stylegan3.training.ranks import LostRankError, Ranks
from stylegan3.training.recorded import recorder_for
from stylegan3.training.trainer import NonFiniteLossError, Trainer

Begin = Callable[[Trainer], list[str]]


@dataclass
class Session:
    """One process's part of a run.

    Args:
        stop: entered already: knows of signals and of the time limit.
        resume: the state to go on from exactly; None: a new run.
        begin_with: brings weights into the trainer before a run's first iteration, and says what it did.
        advance: shows a sign of life after every iteration (pictures so far).
    """

    assembly: Assembly
    device: torch.device
    ranks: Ranks
    echo: Callable[[str], None]
    stop: Stop
    resume: Resume | None = None
    begin_with: Begin | None = None
    advance: Callable[[int], None] = lambda images: None

    def run(self) -> None:
        """Train until --kimg, a signal or the time limit; rank 0 writes the run.

        Raises:
            UserError: a loss that isn't finite, a full disk, a state of another network, a run that is in use.
            KeyboardInterrupt: a second signal.
        """
        options, setup = self.assembly.resolved.options, self.assembly.setup
        ready = cached(setup.dataset, options.cache, self.device, shown=self.ranks.rank == 0)
        trainer = Trainer(replace(setup, dataset=ready), self.device, self.ranks, recorder=recorder_for(self.device))
        if self.ranks.rank:
            self._follow(trainer)
            return
        said = self._fill(trainer)
        trainer.share()
        run = self.resume.run if self.resume else Run.create(folder_of(options.outdir), options)
        with closing(Log(run.path / "log.txt", self.echo)) as log, outgoing(run, options.outdir, log) as outbox:
            said += self._cut(run, trainer.images)
            run.write_options({**self.assembly.to_dict(), "written": time.time()})
            for line in (*said, f"Run: {run.path}"):
                log(line)
            before = max((float(row["total_seconds"]) for row in run.rows()), default=0.0)
            with Reporter(run.path, trainer.images, before) as reporter:
                state = self.resume.state if self.resume else None
                self._lead(trainer, Ticker(self.assembly, run, trainer, reporter, log, self.stop, state), outbox)

    def _fill(self, trainer: Trainer) -> list[str]:
        """Bring the state, or the weights to begin with, into the trainer; return what to tell."""
        if self.resume is None or self.resume.state is None:
            return (self.begin_with or self.assembly.recipe.prepare)(trainer)
        tensors, _ = read_state(self.resume.state)
        try:
            lost = trainer.load_state(tensors)
        except NetworkError as error:
            raise UserError(f"--resume={self.resume.state}: {error}") from error
        lines = [f"Resuming {self.resume.state} at {trainer.images / 1000:g} kimg"]
        if lost:
            lines.append(
                f"  it was pruned to its networks: {' and '.join(lost)} start anew, so that it goes on well, "
                "but not bit for bit"
            )
        return lines

    def _cut(self, run: Run, images: int) -> list[str]:
        if self.resume is None:
            return []
        cut = run.cut_after(images, self.resume.state)
        return [
            f"  newer files are removed, that part is trained again: {', '.join(cut[:6])}{' ...' * (len(cut) > 6)}"
        ] * bool(cut)

    def _lead(self, trainer: Trainer, ticker: Ticker, outbox: Outgoing) -> None:
        stopped = False
        self.stop.arm()
        try:
            ticker.begin()
            for progress in self._iterations(trainer):
                self.advance(progress.images)
                for line in progress.said:
                    ticker.log(line)
                if ticker.look():
                    outbox.send_new()
                if progress.tick is not None:
                    ticker.tick(progress)
                    outbox.send_new()
                if progress.stopped is not None:
                    ticker.leave(progress.stopped)
                    stopped = True
            if not stopped:
                ticker.finish()
        except NonFiniteLossError as error:
            ticker.abandon()
            raise UserError(f"{error}; training stopped, the last good state is {ticker.snapshots.last}") from error
        except LostRankError:
            ticker.abandon()
            ticker.log(f"Stopped: another rank is gone; the last state is {ticker.snapshots.last}")
            ticker.log(go_on(ticker.run))
            raise
        except KeyboardInterrupt:
            ticker.abandon()
            ticker.log(f"Stopped at once; the last state is {ticker.snapshots.last}")
            ticker.log(go_on(ticker.run))
            raise
        finally:
            ticker.close()

    def _follow(self, trainer: Trainer) -> None:
        """Train beside rank 0, which tells and writes."""
        trainer.share()
        self.stop.arm()
        for _ in self._iterations(trainer):
            pass

    def _iterations(self, trainer: Trainer) -> Iterator[Progress]:
        options = self.assembly.resolved.options
        with agreed(self.stop, self.ranks) as stop:
            yield from train_loop(
                trainer, kimg=options.kimg, kimg_per_tick=options.tick, workers=options.workers, stop=stop
            )
