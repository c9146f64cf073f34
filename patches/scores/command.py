# SPDX-License-Identifier: Apache-2.0
"""What calc_metrics.py does with its options: find networks and data, score, tell, name the best, write the report."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from patches.console import choose_device, progress
from patches.errors import UserError
from patches.generate.choices import parse_numbers
from patches.generate.network import find_networks, open_network, read_conditions
from patches.generate.synthesis import settled
from patches.runs.directory import Run
from patches.scores.choose import Wanted, evaluation, names_of
from patches.scores.evaluation import Evaluation
from patches.scores.files import write_rows
from patches.scores.judged import Judged
from patches.scores.names import parse_metrics
from patches.scores.select import Chosen, best
from patches.scores.showcase import write_showcase
from patches.scores.sounds import generated
from patches.scores.tables import tables
from spect.archive.reader import Archive
from spect.errors import SoundError

Echo = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What a command line asks for.

    Args:
        data: the archive; None: the one that the first network's run learned from.
    """

    networks: tuple[Path, ...]
    data: Path | None
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
    echo(f"Data: {archive.path}, {len(archive.train)} sounds to learn from, {len(archive.holdout)} held out")
    judged = list(judge_all(request, archive, echo))
    anchors = {id(one.evaluation): one.evaluation.anchors() for one in judged}
    rows = [*(row for of in anchors.values() for row in of), *(row for one in judged for row in one.scores)]
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
        write_showcase(request.report, judged, rows, chosen)
        echo(f"Written: {request.report}")


def open_data(request: Request) -> Archive:
    """Open the archive.

    Raises:
        UserError: none is named or known, or it isn't one.
    """
    path = request.data or learned_from(request.networks[0])
    if not path.is_file():
        raise UserError(
            f"--data={path}: no such file; give the archive that the network learned from, as it is named now"
        )
    try:
        return Archive.open(path)
    except SoundError as error:
        raise UserError(f"--data={path}: {str(error).removeprefix(f'{path}: ')}") from error


def learned_from(network: Path) -> Path:
    """Look up the archive in the run that a snapshot lies in.

    Raises:
        UserError: the snapshot lies in no run.
    """
    try:
        return Path(Run(network.parent).options()["options"]["data"])
    except (UserError, KeyError) as error:
        raise UserError(
            f"--data: missing, and {network.parent} is no run that tells its own; give an archive"
        ) from error


def judge_all(request: Request, archive: Archive, echo: Echo) -> Sequence[Judged]:
    """Score every network; those of one view share an evaluation."""
    evaluations: dict[str, Evaluation] = {}
    several = len({path.parent for path in request.networks}) > 1
    judged = []
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
        if measured.count < 2:
            raise UserError(f"{path}: {measured.count} of {subject.count} sounds are finite; scores need 2 or more")
        judged.append(Judged(network, own, measured, tuple(own.scores(measured))))
        echo(f"  {subject.name}: {measured.count} sounds, {measured.seconds:.1f} s")
    return judged
