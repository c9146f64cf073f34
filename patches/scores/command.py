# SPDX-License-Identifier: Apache-2.0
"""What calc_metrics.py does with its options: find networks and data, score, tell, name the best, write the report."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from patches.console import choose_device, progress
from patches.data import is_there
from patches.data import open_data as open_archive
from patches.errors import UserError
from patches.generate.choices import parse_numbers
from patches.generate.network import find_networks, open_network, read_conditions
from patches.generate.synthesis import settled
from patches.runs.directory import Run, check_writable
from patches.scores.choose import Wanted, evaluation, has_classes, names_of
from patches.scores.evaluation import Evaluation
from patches.scores.files import write_rows
from patches.scores.judged import Judged
from patches.scores.names import parse_metrics
from patches.scores.probes import check_finite
from patches.scores.rows import Score
from patches.scores.select import Chosen, best
from patches.scores.showcase import write_showcase
from patches.scores.sounds import generated
from patches.scores.tables import tables
from spect.archives.opening import AnyArchive
from spect.errors import SoundError

Echo = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What a command line asks for.

    Args:
        data: the archive or archives; None: what the first network's run learned from.
    """

    networks: tuple[Path, ...]
    data: str | None
    wanted: Wanted
    seeds: tuple[int, ...]
    chosen: Chosen | None
    outdir: Path | None
    report: Path | None
    device: torch.device

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "Request":
        """Read the arguments of the script.

        Raises:
            UserError: one that is wrong.
        """
        metrics = parse_metrics(arguments["metrics"])
        if not metrics:
            raise UserError("--metrics: none; name what to score with, as in --metrics=kad,defects, or all")
        chosen = Chosen.parse(arguments["select"]) if arguments["select"] else None
        if chosen is not None and chosen.metric not in metrics:
            raise UserError(f"--select={chosen.told}: not one of --metrics={','.join(metrics)}; add it there")
        wanted = Wanted(metrics, names_of(arguments["encoder"]), arguments["inception"])
        networks = tuple(find_networks(arguments["network"]))
        for path in networks:
            read_conditions(path)  # refuses what isn't a network, before the data are looked for
        check_places(arguments["outdir"], arguments["report"])
        return cls(
            networks=networks,
            data=arguments["data"],
            wanted=wanted,
            seeds=parse_numbers(arguments["seeds"]),
            chosen=chosen,
            outdir=arguments["outdir"],
            report=arguments["report"],
            device=choose_device(arguments["device"]),
        )


def calc_metrics(arguments: Mapping[str, Any], echo: Echo) -> None:
    """Score networks as the options say.

    Raises:
        UserError, SoundError: one line about what is wrong.
    """
    request = Request.of(arguments)
    archive = open_data(request)
    possible = parse_metrics(arguments["metrics"], has_classes(archive))
    request = replace(request, wanted=replace(request.wanted, metrics=possible))
    echo(f"Data: {archive.path}, {len(archive.train)} sounds to learn from, {len(archive.holdout)} held out")
    judged = list(judge_all(request, archive, echo))
    rows = [*anchors_of(judged), *(row for one in judged for row in one.scores)]
    for line in tables(rows):
        echo(line)
    for note in dict.fromkeys(note for one in judged for note in one.evaluation.data.notes()):
        echo(note)
    chosen = request.chosen or Chosen(request.wanted.metrics[0])
    if request.chosen or len(judged) > 1:
        for line in best(rows, chosen).lines():
            echo(line)
    if request.outdir is not None:
        request.outdir.mkdir(parents=True, exist_ok=True)
        echo(f"Written: {', '.join(str(path) for path in write_rows(request.outdir, rows))}")
    if request.report is not None:
        request.report.parent.mkdir(parents=True, exist_ok=True)
        write_showcase(request.report, judged, rows, chosen)
        echo(f"Written: {request.report}")


def open_data(request: Request) -> AnyArchive:
    """Open the archive.

    Raises:
        UserError: none is named or known, or it isn't one.
    """
    data = request.data or learned_from(request.networks[0])
    if not is_there(data):
        raise UserError(
            f"--data={data}: no such file; give the archive that the network learned from, as it is named now"
        )
    try:
        return open_archive(data)
    except SoundError as error:
        raise UserError(f"--data={data}: {str(error).removeprefix(f'{data}: ')}") from error


def learned_from(network: Path) -> str:
    """Look up the data in the run that a snapshot lies in.

    Raises:
        UserError: the snapshot lies in no run.
    """
    try:
        return str(Run(network.parent).options()["options"]["data"])
    except (UserError, KeyError) as error:
        raise UserError(
            f"--data: missing, and {network.parent} is no run that tells its own; give an archive"
        ) from error


def check_places(outdir: Path | None, report: Path | None) -> None:
    """See that what is asked for can be written, before any work.

    Raises:
        UserError: it can't.
    """
    if outdir is not None:
        check_writable(outdir)
    if report is not None and report.is_dir():
        raise UserError(f"--report={report}: is a folder; give a page's name, as in {report / 'report.html'}")
    if report is not None:
        check_writable(report.parent, "--report")


def anchors_of(judged: Sequence[Judged]) -> list[Score]:
    """Give the anchors of all evaluations; of several views, each with its view's name."""
    evaluations = list({id(one.evaluation): one.evaluation for one in judged}.values())
    if len(evaluations) == 1:
        return evaluations[0].anchors()
    rows = [(row, one.data.view.name) for one in evaluations for row in one.anchors()]
    return [replace(row, system=f"{row.system}, as {view} has it") for row, view in rows]


def judge_all(request: Request, archive: AnyArchive, echo: Echo) -> Sequence[Judged]:
    """Score every network; those of one view share an evaluation. Of several, those that make no sounds are left out.

    Raises:
        UserError: none makes sounds that are finite.
    """
    evaluations: dict[str, Evaluation] = {}
    several = len({path.parent for path in request.networks}) > 1
    judged: list[Judged] = []
    for path in request.networks:
        network = open_network(path, request.device)
        key = json.dumps(network.view.to_dict(), sort_keys=True)
        if key not in evaluations:
            evaluations[key] = evaluation(archive, network.view, request.wanted, request.device)
        own = evaluations[key]
        subject = generated(
            network, request.seeds, archive, f"{path.parent.name}/{path.stem}" if several else path.stem
        )
        with settled(), progress(path.stem, subject.count, "sounds") as advance:
            measured = own.measured(subject, advance=advance)
        try:
            check_finite(path, measured)
        except UserError as error:
            if path == request.networks[-1] and not judged:
                raise
            echo(f"  {error}: left out")
            continue
        kept = measured.named(subject.only_told())
        judged.append(Judged(path, request.device, own, kept, tuple(own.scores(measured))))
        echo(f"  {subject.name}: {measured.count} sounds, {measured.seconds:.1f} s")
    return judged
