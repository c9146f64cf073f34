# SPDX-License-Identifier: Apache-2.0
"""What happens at a tick: numbers, health, and every --snap ticks a sheet, a snapshot and a state."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from patches.console import one_line
from patches.data import absolute
from patches.runs.assemble import Assembly
from patches.runs.beside import Beside
from patches.runs.directory import FAKES, NETWORK, STATE, Run, stamp
from patches.runs.health import Watch
from patches.runs.interrupt import Stop
from patches.runs.judging import PATIENCE, Judging
from patches.runs.reporter import Log, Reporter, sheet_notes, tick_line
from patches.runs.scoring import Scoring
from patches.runs.states import Moment, Snapshots
from patches.scores.choose import has_classes
from patches.scores.job import Job
from patches.scores.names import parse_metrics
from patches.scores.select import Chosen
from stylegan3.training.loop import Progress
from stylegan3.training.samples import fakes, reals
from stylegan3.training.trainer import Trainer
from stylegan3.training.transfer import Aside

WATCHED = 64
"""Pictures of the data that the fixed batch is compared with."""
SMALL_SHEET, LARGE_SHEET, LARGE = 16, 8, 256 * 256
"""Pictures on a sheet, and from which size F*T on a sheet has fewer."""


@dataclass
class Ticker:
    """Writes a run's files as it goes, beside the training: a tick's figures, sheets and snapshots.

    Args:
        last: the state that the run went on from.
    """

    assembly: Assembly
    run: Run
    trainer: Trainer
    reporter: Reporter
    log: Log
    stop: Stop
    last: Path | None = None

    def __post_init__(self) -> None:
        options = self.assembly.resolved.options
        self.snapshots = Snapshots(self.run, self.assembly.header(), options.keep_states, self.last)
        self._images = self.trainer.images
        self._writing, self._aside = Beside(), Aside(self.trainer.device)
        self._judging = self._make_judging()

    @cached_property
    def _watch(self) -> Watch:
        """What fixed pictures are compared with; made beside the training, where it is asked for."""
        data = self.assembly.canvases
        return Watch(real_pictures(self.trainer, WATCHED), data.view.sound if data else None)

    def _make_judging(self) -> Judging | None:
        options = self.assembly.resolved.options
        canvases = self.assembly.canvases
        metrics = parse_metrics(options.metrics, canvases is not None and has_classes(canvases.archive))
        if canvases is None or not metrics:
            return None
        job = Job(absolute(options.data), metrics, str(self.trainer.device))
        chosen = Chosen.parse(options.select or metrics[0])
        return Judging(self.run.path, Scoring(job), chosen, options.patience, self.reporter, self.log)

    def begin(self) -> None:
        """Have the data measured, and what a new run shows written: reals, the untrained network, its state."""
        if self.trainer.images == 0:
            real = real_pictures(self.trainer, sheet_size(self.trainer))
            pictures, moment = fixed_pictures(self.trainer), Moment.of(self.trainer)

            def write() -> Path:
                self._sheet("reals", "reals", real, 0)
                return self._snapshot(moment, pictures)

            self._start(write)
        self._writing.start(self._aside(lambda: self._watch), lambda watch, seconds: None)  # once, not at each tick
        self.stop.worked()

    def look(self) -> bool:
        """Take what was written since the last look; return whether anything was.

        Raises:
            UserError: a snapshot could not be written, or its networks are not finite.
        """
        return self._writing.look()

    def tick(self, progress: Progress) -> None:
        """Have a tick that ended told of, and a snapshot written where it is due.

        The pictures are made here, in a thousandth of a tick's time; sounds are made of them beside the training.

        Raises:
            UserError: as `look`.
        """
        options = self.assembly.resolved.options
        pictures = fixed_pictures(self.trainer)
        row = self.reporter.row(progress, self.trainer.ada.p, self.trainer.device)
        per_snapshot = round(options.tick * 1000) * options.snap
        if self._judging:
            row["scores"], reason = self._judging.tick(row["s_per_kimg"] * per_snapshot / 1000)
            if reason is not None:
                self.stop.because(reason)
        before, self._images = self._images, progress.images
        moment: Moment | None = None
        if progress.done or progress.images // per_snapshot > before // per_snapshot:
            self._writing.wait()  # one copy of all networks at a time
            moment = Moment.of(self.trainer)

        def tell() -> Path | None:
            self._tell(row, pictures)
            return self._snapshot(moment, pictures) if moment else None

        self._start(tell)
        self.stop.worked()

    def finish(self) -> None:
        """Wait for the last files and scores of a run that has reached its end, and name the best snapshot.

        Raises:
            UserError: as `look`.
        """
        self._writing.wait()
        if self._judging:
            self._judging.finish(self.stop)

    def close(self) -> None:
        """End what runs beside the training; what is being written is written to its end."""
        self._writing.close()
        if self._judging:
            self._judging.scoring.close()

    def settle(self) -> None:
        """Have what is being written come to its end, and tell what went wrong with it, at the end of a run."""
        while True:
            try:
                self._writing.wait()
                return
            except Exception as error:  # whatever it is, what is still to be said and written is
                self.log(f"  not written: {one_line(error) or f'{type(error).__name__}: {error}'}")

    def abandon(self) -> None:
        """Settle at once: the row of a tick that isn't begun is left out, as a resumed run makes it again."""
        self._writing.drop()
        self.settle()

    def leave(self, reason: str) -> None:
        """Save between two snapshots, and say how to go on.

        Raises:
            UserError: it could not be written.
        """
        self.settle()
        path = self.snapshots.write(Moment.of(self.trainer), between=True)
        self.log(f"Stopped by {reason} at {self.trainer.images / 1000:g} kimg; the state is {path.name}")
        for line in self._judging.best_lines() if self._judging else ():
            self.log(line)
        patience = self.assembly.resolved.options.patience or 0.0
        self.log(go_on(self.run, f" --patience={2 * patience:g}" * reason.startswith(PATIENCE)))

    def _tell(self, row: dict[str, Any], pictures: Tensor) -> None:
        """Write a tick's row and line."""
        health = self._watch.look(pictures)
        row |= asdict(health)
        self.reporter.write(row)
        self.log(tick_line(row, self.assembly.resolved.options.kimg, health.warnings()))

    def _snapshot(self, moment: Moment, pictures: Tensor) -> Path:
        """Write the sheet, the network and then the state: where that stands, the others do, as the tick's row does."""
        self._sheet("fakes", f"{FAKES}{stamp(moment.images, moment.batch)}", pictures, moment.images)
        return self.snapshots.write(moment)

    def _start(self, job: Callable[[], Path | None]) -> None:
        self._writing.start(self._aside(job), self._written)

    def _written(self, state: Path | None, seconds: float) -> None:
        self.stop.worked_beside(seconds)
        if self._judging and state is not None:
            self._judging.scoring.add(state.with_name(state.name.replace(STATE, NETWORK)))

    def _sheet(self, kind: str, name: str, pictures: Tensor, images: int) -> None:
        sheet = self.assembly.setup.sheet(self.run.path, name, pictures)
        self.reporter.show(kind, sheet, images)
        for note in sheet_notes(sheet):
            self.log(f"  {name}: {note}")


def go_on(run: Run, more: str = "") -> str:
    """Say how a run that was stopped goes on; `more`: options without which it would stop again."""
    return f"  to go on: python train.py --resume={run.path}{more}"


def sheet_size(trainer: Trainer) -> int:
    """Return how many pictures a sheet has."""
    _, rows, columns = trainer.setup.dataset.shape
    return SMALL_SHEET if rows * columns <= LARGE else LARGE_SHEET


def fixed_pictures(trainer: Trainer) -> Tensor:
    """Return what the mean generator makes of a run's fixed seeds. Shape: [sheet_size, C, F, T]."""
    return fakes(trainer.mean_generator, trainer.setup, "sheet", sheet_size(trainer))


def real_pictures(trainer: Trainer, count: int) -> Tensor:
    """Return pictures of the data. Shape: [<= count, C, F, T] in model space."""
    return reals(trainer.setup, "sheet", count, trainer.device)
