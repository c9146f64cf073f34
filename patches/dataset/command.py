# SPDX-License-Identifier: Apache-2.0
"""What dataset_tool_wav.py does with its options: scan, say what was found and what will be done, and build."""

import errno
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from patches.console import progress
from patches.dataset import resuming
from patches.dataset.recordings import beats_of, dropped, dropped_lines, listened, told
from patches.presets import advised, expectations
from spect.cmyk import Cmyk
from spect.dataset import report
from spect.dataset.build import Built, build, scan
from spect.dataset.cluster import cluster
from spect.dataset.labels import Asked
from spect.dataset.options import Preparation, parse_resolution
from spect.dataset.parts import left_behind
from spect.dataset.plan import check_holdout
from spect.dataset.pool import cores, processes
from spect.dataset.previews import write_previews
from spect.dataset.select import Selection, check_dest, select
from spect.dataset.skipped import write_skipped
from spect.dataset.survey import Survey, fit, propose, survey
from spect.errors import SoundError
from spect.files import NewFolder
from spect.storage.address import Address

PAPER = ("512x512", 44100)
FEW = 16  # files, for which starting another process takes longer than reading them

Echo = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Request:
    """What a command line asks for.

    Args:
        given: options by name, None where not given.
    """

    source: Path | Address
    dest: Path
    preparation: Preparation
    given: Mapping[str, Any]

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "Request":
        """Read the arguments of the script.

        Raises:
            SoundError: options that are impossible, alone or together, or one that is missing.
        """
        for name, what in (("source", "a folder, a zip or one sound"), ("dest", "the archive to write, NAME.zip")):
            if arguments[name] is None:
                raise SoundError(f"--{name}: missing; name {what} (see --help)")
        source, dest, scheduler = arguments["source"], Path(arguments["dest"]), arguments["scheduler"]
        place = source if isinstance(source, Address) else Path(source)
        if arguments["executor"] == "dask":
            if not scheduler:
                raise SoundError("--executor=dask: needs --scheduler=ADDRESS, which `dask scheduler` prints")
            if arguments["workers"]:
                raise SoundError(f"--workers={arguments['workers']}: a cluster brings its own; leave --workers out")
            # other machines have other working folders
            place, dest = (place if isinstance(place, Address) else place.absolute()), dest.absolute()
        elif scheduler:
            raise SoundError(f"--scheduler={scheduler}: only a cluster has one; add --executor=dask")
        return cls(place, dest, preparation_of(arguments), arguments)

    @property
    def far(self) -> bool:
        """Whether workers may be on other machines."""
        return bool(self.given["executor"] == "dask")

    @contextmanager
    def executor(self, files: int) -> Iterator[tuple[Executor | None, int]]:
        """Start or reach the workers; how many there are: as asked for, or as many as cores and files give work."""
        if self.far:
            folder = next(place for place in self.dest.parents if place.is_dir())
            with cluster(self.given["scheduler"], self.source, folder) as (executor, workers):
                yield executor, workers
            return
        long = self.preparation.slice or self.preparation.beats is not None
        workers = self.given["workers"] or (cores() if long else max(1, min(cores(), -(-files // FEW))))
        with processes(workers) as pool:
            yield pool, workers


def preparation_of(arguments: Mapping[str, Any]) -> Preparation:
    """Resolve how sounds become canvases.

    Raises:
        SoundError: options that are impossible, alone or together.
    """
    rows, frames = parse_resolution(arguments["resolution"] or PAPER[0])
    shape = Cmyk(arguments["sample_rate"] or PAPER[1], rows, frames, arguments["dc"])
    stride = arguments["stride"]
    if stride is not None and not arguments["slicing"]:
        raise SoundError(f"--stride={stride:g}: only slices have a stride; add --slice")
    if stride is not None and not isfinite(stride):
        raise SoundError(f"--stride: got {stride} seconds; allowed is any positive length")
    return Preparation(
        representation=shape,
        resampler=arguments["resampler"],
        slice=arguments["slicing"],
        stride=shape.samples if stride is None else round(stride * shape.sample_rate),
        trim_start=arguments["trim_start"],
        peak_db=arguments["peak_db"],
        fade_out_ms=arguments["fade_out_ms"],
        downmix=arguments["downmix"],
        beats=beats_of(arguments),
    )


def make_archive(arguments: Mapping[str, Any], echo: Echo) -> None:
    """Make an archive as the options say.

    Args:
        echo: prints lines.

    Raises:
        SoundError: one line about what is wrong.
    """
    started, request = time.monotonic(), Request.of(arguments)
    given = request.given
    check_dest(request.source, request.dest)
    echo(resuming.found(request.dest, given["resume"], given["dry_run"]))
    chosen = select(request.source, _asked(given), given["include"], given["max_files"])
    with request.executor(len(chosen.names)) as (executor, workers):
        found = _scan(chosen, request, executor, workers)
        _tell(request, chosen, found, workers, echo)
        if given["dry_run"]:
            echo(["", "--dry-run: nothing was written."])
            return
        built = _build(request, chosen, found, executor, workers, echo)
        bad = sorted([*found.bad, *built.failed])
        listed = write_skipped(request.dest, sorted([*bad, *dropped(found)]))
        if given["previews"]:
            _previews(request.dest, given["previews"], built.items, executor, workers)
    seconds = time.monotonic() - started
    echo(report.finished(request.dest, built, bad, listed, found.files, given["previews"], seconds))
    echo(dropped_lines(found, listed))
    presets = advised(request.preparation.representation, labelled=bool(chosen.labels.sets))
    echo(report.next_step(request.dest, request.preparation, presets))


def _asked(given: Mapping[str, Any]) -> Asked:
    sets = given["label_sets"]
    names = None if sets is None else tuple(name.strip() for name in sets.split(",") if name.strip())
    return Asked(tuple(given["labels"]), given["label_pattern"], tuple(given["vectors"]), names)


def _scan(chosen: Selection, request: Request, executor: Executor | None, workers: int) -> Survey:
    preparation = request.preparation
    facts, how = [], {"downmix": preparation.downmix, "trim": preparation.trim_start, "far": request.far}
    with progress("scan", len(chosen.names), "files") as advance:
        for one in scan(chosen.source, chosen.names, executor, workers, **how):
            facts.append(one)
            advance(1)
    facts = listened(chosen.source, facts, preparation, executor, workers)
    return survey(facts, chosen.unreadable, preparation)


def _tell(request: Request, chosen: Selection, found: Survey, workers: int, echo: Echo) -> None:
    """Say what was found, what will be done and what it will cost; refuse where nothing can be done."""
    preparation, given = request.preparation, request.given
    echo([*report.scanned(chosen, found, preparation), *told(found, preparation)])
    if not found.good:
        _give_up(found, request.dest, given["dry_run"])
    check_holdout(found.good, given["holdout"])
    labels = chosen.labels.keep(facts.name for facts in found.good)
    echo(report.intended(found, labels, preparation, request.dest, given, workers))
    presets = expectations(preparation.representation)
    echo(report.expected(found.good, preparation, propose(found.good, preparation), presets))
    _, held = left_behind(request.dest)  # which are used, or removed
    check_dest(request.source, request.dest, fit(found.good, preparation).archive_bytes - held)


def _give_up(found: Survey, dest: Path, dry: bool) -> None:
    listed = None if dry or not dest.parent.is_dir() else write_skipped(dest, found.bad)
    where = f" (listed in {listed})" if listed else ""
    raise SoundError(
        f"--source: none of the {found.files} files can go in{where}; the first: {found.bad[0][0]}: {found.bad[0][1]}"
    )


def _build(
    request: Request, chosen: Selection, found: Survey, executor: Executor | None, workers: int, echo: Echo
) -> Built:
    labels, given = chosen.labels.keep(facts.name for facts in found.good), request.given
    canvases = fit(found.good, request.preparation).canvases
    try:
        with NewFolder(request.dest.parent), progress("build", canvases, "canvases") as advance:
            return build(
                chosen.source, found.good, labels, request.preparation, request.dest,
                holdout=given["holdout"], executor=executor, workers=workers, far=request.far,
                resume=given["resume"], progress=advance,
                begun=lambda *counts: echo(resuming.begun(request.dest, *counts)),
            )  # fmt: skip
    except BaseException as error:
        echo(resuming.interrupted(request.dest, given["resume"]))
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SoundError("--dest: the disk is full; free some space and go on with --resume") from None
        raise


def _previews(dest: Path, folder: Path, items: int, executor: Executor | None, workers: int) -> None:
    there = folder.absolute()  # other machines have other working folders
    with progress("previews", items, "pictures") as advance:
        for _ in write_previews(dest, there, executor, workers):
            advance(1)
