# SPDX-License-Identifier: Apache-2.0
"""Build an archive out of examined files: jobs to the workers, their records in order to the writer's tail."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spect.archive.sets import PRIMARY
from spect.archive.writer import ArchiveWriter
from spect.dataset.journal import Journal, key_of
from spect.dataset.labels import Labels
from spect.dataset.options import Preparation
from spect.dataset.parts import Parts
from spect.dataset.plan import Piece, check_holdout, pieces
from spect.dataset.pool import batch_size, in_order
from spect.dataset.scan import Facts, examine
from spect.dataset.sources import LOOK_AHEAD, Source
from spect.dataset.statistics import Statistics
from spect.dataset.work import STAGES, Earlier, Job, Made, make, part_of
from spect.errors import SoundError

Progress = Callable[[int], None]
Begun = Callable[[int, int, int], None]


@dataclass
class Built:
    """What a build did.

    Args:
        kept: canvases that an interrupted build had made.
        failed: files that changed between scan and build, and how.
    """

    digest: str
    items: int
    holdout: int
    kept: int
    failed: list[tuple[str, str]]
    seconds: dict[str, float] = field(default_factory=dict)


def scan(
    source: Source,
    names: Sequence[str],
    executor: Executor | None,
    workers: int,
    *,
    downmix: bool,
    trim: bool,
    far: bool = False,
) -> Iterator[Facts]:
    """Examine files in order; see spect.dataset.scan. `far`: workers are on other machines."""
    look = partial(examine, source, downmix=downmix, trim=trim)
    jobs = names if far else _expecting(source, names, names)
    return in_order(executor, workers, look, jobs, batch_size(len(names), workers))


def _expecting(source: Source, jobs: Iterable[Any], names: Sequence[str]) -> Iterator[Any]:
    """Pass jobs on; the files of those that come soon, "" for none, are read into memory meanwhile."""
    for number, job in enumerate(jobs):
        soon = number + LOOK_AHEAD
        if soon < len(names) and names[soon] not in ("", names[soon - 1]):
            source.expect(names[soon])
        yield job


def build(
    source: Source,
    files: Sequence[Facts],
    labels: Labels,
    preparation: Preparation,
    dest: Path,
    *,
    holdout: float = 0.0,
    executor: Executor | None = None,
    workers: int = 1,
    far: bool = False,
    resume: bool = False,
    progress: Progress = lambda canvases: None,
    begun: Begun = lambda fits, there, wanted: None,
) -> Built:
    """Write the archive `dest`, whole or not at all; what is finished of one that is interrupted is kept beside it.

    A file that has changed since it was examined is left out and named; what was built is then built again without it.

    Args:
        files: examined, all fit to go in, sorted by name.
        far: workers are on other machines; each piece gets a file of its own, which is then joined.
        resume: go on where an interrupted build stopped (spect.dataset.parts); otherwise what it left is removed.
        progress: called with the number of canvases done since the last call (negative: begun again).
        begun: with `resume`, called once with how many canvases that are there fit, how many are there, and how many
            are wanted.

    Raises:
        SoundError: nothing is left to build, or to train on; another build of this archive is at work.
    """
    failed: list[tuple[str, str]] = []
    plan = _planned(files, failed, preparation, labels, holdout)
    with Parts(dest, resume=resume) as parts:
        if resume:
            fits, there = parts.journal.fitting((piece.first, key) for piece, key in plan)
            if not fits:
                parts.begin_anew()
            begun(fits, there, sum(len(piece.cuts) for piece, _ in plan))
        while True:
            job = Job(source, preparation, parts.pictures, parts.run if far else None)
            with ArchiveWriter(dest, job.layout, parts.pictures) as writer:
                done = _Done(job.layout.rows)
                batch = batch_size(len(plan), workers, job.layout.data_bytes)
                keys = {piece.first: key for piece, key in plan}
                jobs = _jobs(source, parts.journal, plan, far)
                for made in in_order(executor, workers, partial(make, job), jobs, batch):
                    _take(job, writer, parts.journal, made, keys[made.piece.first])
                    done.add(made)
                    progress(len(made.crcs))
                if not done.failed:
                    sets, more = done.label_sets(labels)
                    summary = {**_summary(done, labels, preparation, holdout), **sets}
                    digest = writer.finish(done.crcs, done.labels, done.records, summary, more)
                    parts.close()  # a Ctrl-C on the way to __exit__ finds nothing to leave then
                    found = done.kept if resume else 0
                    return Built(digest, len(done.crcs), done.splits["holdout"], found, failed, done.seconds)
                writer.discard()
            failed += done.failed
            progress(-len(done.crcs))
            plan = _planned(files, failed, preparation, labels, holdout)


def _planned(
    files: Sequence[Facts], failed: Sequence[tuple[str, str]], preparation: Preparation, labels: Labels, holdout: float
) -> list[tuple[Piece, str]]:
    """Plan all pieces, each with its key."""
    out = {name for name, _ in failed}
    left = [facts for facts in files if facts.name not in out]
    if not left:
        raise SoundError("--source: no file is left that can go in")
    check_holdout(left, holdout)
    return [(piece, key_of(preparation, piece)) for piece in pieces(left, preparation, labels.numbers, holdout)]


def _jobs(
    source: Source, journal: Journal, plan: Sequence[tuple[Piece, str]], far: bool
) -> Iterator[tuple[Piece, Earlier | None]]:
    """Give each piece with what is there of it."""
    jobs = ((piece, journal.earlier(piece.first, key)) for piece, key in plan)
    names = ["" if journal.holds(piece.first, key) else piece.facts.name for piece, key in plan]
    return jobs if far else _expecting(source, jobs, names)


def _take(job: Job, writer: ArchiveWriter, journal: Journal, made: Made, key: str) -> None:
    """Bring a piece to its place, if it isn't there, and enter it in the journal."""
    if made.reason is not None or made.kept:
        return
    if job.apart is not None:
        part = part_of(job.apart, made.piece)
        writer.join(part, job.layout.header_offset(made.piece.first))
        part.unlink()
    journal.note(made, key)
    writer.begin_sync(len(made.crcs) * job.layout.member_bytes)


class _Done:
    """Results of the pieces, gathered in their order."""

    def __init__(self, rows: int) -> None:
        self.crcs: list[int] = []
        self.records: list[dict[str, Any]] = []
        self.classes: list[int] = []
        self.failed: list[tuple[str, str]] = []
        self.splits: Counter[str] = Counter()
        self.kept = 0
        self.statistics = Statistics(rows)
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def add(self, made: Made) -> None:
        piece: Piece = made.piece
        if made.reason is not None:
            if piece.facts.name not in dict(self.failed):
                self.failed.append((piece.facts.name, made.reason))
            return
        self.crcs += made.crcs
        self.records += made.records
        self.classes += [piece.label] * len(made.crcs)
        self.kept += len(made.crcs) * made.kept
        self.splits["holdout" if piece.holdout else "train"] += len(made.crcs)
        for stage, seconds in made.seconds.items():
            self.seconds[stage] += seconds
        if not piece.holdout:
            for measured in made.measured:
                self.statistics.add(measured)

    @property
    def labels(self) -> np.ndarray:
        return np.asarray(self.classes, np.int64)

    def label_sets(self, labels: Labels) -> tuple[Mapping[str, Any], Mapping[str, np.ndarray]]:
        """Give what dataset.json says of the label sets, and the members of those beside the archive's own classes."""
        train = np.asarray([record["split"] == "train" for record in self.records], bool)
        described, more = labels.members([record["source"] for record in self.records], train)
        told = [one.to_dict() for one in described]
        usual = [one.name for one in described] in ([], [PRIMARY]) and not more
        return ({} if usual else {"label_sets": told}), more


def _summary(done: _Done, labels: Labels, preparation: Preparation, holdout: float) -> Mapping[str, Any]:
    numbers = Counter(done.classes)
    return {
        "representation": preparation.representation.to_dict(),
        "preparation": preparation.to_dict(),
        "classes": list(labels.classes),
        "class_items": [numbers[index] for index in range(len(labels.classes))],
        "holdout": holdout,
        "holdout_items": done.splits["holdout"],
        "train_items": done.splits["train"],
        "statistics": done.statistics.to_dict(),
    }
