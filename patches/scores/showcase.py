# SPDX-License-Identifier: Apache-2.0
"""What a report shows of networks: which outputs, beside which training sounds, and the scores over a training."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from patches.generate.network import Network
from patches.scores.figures import figure
from patches.scores.files import read_rows
from patches.scores.judged import Judged
from patches.scores.metrics.copies import Novelty
from patches.scores.metrics.of_encoders import features_of
from patches.scores.probes import Measured
from patches.scores.report import Clip, Pair, Report, write_report
from patches.scores.rows import Score
from patches.scores.select import Chosen, best
from patches.scores.sounds import asked, pictures_of
from stylegan3.metrics.estimate import Estimate

SHOWN = 4  # best, worst, most copied
SEEDS, SNAPSHOTS = 8, 8  # of the table
NEIGHBOURS = 5


def write_showcase(path: Path, judged: Sequence[Judged], rows: Sequence[Score], chosen: Chosen) -> None:
    """Write the report of networks.

    Args:
        rows: all of their scores, with the anchors.
    """
    name = best(rows, chosen).row.system
    one = next((each for each in judged if each.measured.subject.name == name), judged[-1])
    network = one.network()
    kept = [row for row in rows if row.kind == "anchor" or row.system == name]
    report = Report(
        title=f"{one.path.parent.name} {one.path.stem}",
        intro=_intro(one, network),
        scores=tuple(kept),
        history=tuple(_history(one, rows)),
        grid=tuple((each.measured.subject.name, _first_sounds(each)) for each in _spread_out(judged)),
        notes=one.evaluation.data.notes(),
    )
    write_report(path, _with_outputs(report, one, network))


def _intro(one: Judged, network: Network) -> dict[str, str]:
    data, view = one.evaluation.data, one.evaluation.data.view
    return {
        "network": f"{network.path.name}, {network.cfg}, {network.kimg:g} kimg",
        "data": f"{data.archive.path.name}: {len(data.archive.train)} sounds, {len(data.archive.holdout)} held out",
        "view": f"{view.name}, {view.samples / view.sample_rate:.2f} s at {view.sample_rate} Hz",
        "scored": f"{one.measured.count} sounds",
    }


def _history(one: Judged, rows: Sequence[Score]) -> list[Score]:
    """Give the networks' rows over kimg: those just computed, and the run's own of other snapshots.

    Of their figures, those of which one way is better: the others would be curves that nobody reads.
    """
    mine = [row for row in rows if row.kind == "network" and row.kimg is not None]
    known = {(row.metric, row.features, row.kimg) for row in mine}
    of_run = [row for row in read_rows(one.path.parent) if row.kind == "network"]
    both = mine + [row for row in of_run if (row.metric, row.features, row.kimg) not in known]
    return [replace(row, values=_judged(row)) for row in both]


def _judged(row: Score) -> dict[str, Estimate]:
    return {name: value for name, value in row.values.items() if figure(name).better is not None}


def _spread_out(judged: Sequence[Judged]) -> list[Judged]:
    """Choose at most `SNAPSHOTS`, evenly, with the first and the last; those that made the same seeds' sounds."""
    places = np.unique(np.linspace(0, len(judged) - 1, min(SNAPSHOTS, len(judged))).round().astype(int))
    return [judged[place] for place in places]


def _first_sounds(one: Judged) -> tuple[Clip, ...]:
    network = one.network()
    return tuple(_clip(one, network, place) for place in range(min(SEEDS, one.measured.subject.count)))


def _with_outputs(report: Report, one: Judged, network: Network) -> Report:
    """Add the outputs worth hearing."""
    typical = typicality(one)
    if typical is None:
        return replace(report, zoom=_clip(one, network, int(one.measured.places[0])))
    order = typical.argsort()

    def shown(indices: Tensor) -> tuple[Pair, ...]:
        return tuple(
            _pair(one, network, int(i), {"distance to real sounds": f"{typical[i]:.3f}"}) for i in indices[:SHOWN]
        )

    zoom = _clip(one, network, int(one.measured.places[int(order[0])]))
    report = replace(report, best=shown(order), worst=shown(order.flip(0)), zoom=zoom)
    novelty = _novelty(one)
    return (
        report if novelty is None or not one.evaluation.data.held_out else _with_copies(report, one, network, novelty)
    )


def _with_copies(report: Report, one: Judged, network: Network, novelty: Novelty) -> Report:
    """Add the outputs nearest to training sounds, and how near all are."""
    against = one.evaluation.against
    own, usual = (novelty.distances(each, against)[0] for each in (one.measured, against.reference))

    def pair(i: int) -> Pair:
        farther = f"{float((usual > own[i]).double().mean()):.0%}"
        return _pair(
            one, network, i, {"distance to it": f"{own[i]:.3f}", "held-out sounds farther from theirs": farther}
        )

    copied = tuple(pair(int(i)) for i in own.argsort()[:SHOWN])
    return replace(report, copied=copied, distances={"outputs": own.tolist(), "held-out real": usual.tolist()})


def typicality(one: Judged) -> Tensor | None:
    """Give each output's mean distance to its nearest held-out sounds, by the first encoder; less is more real.

    None where no metric asked an encoder. Shape: -> [n].
    """
    encoded = (probe for probe in one.evaluation.probes if f"{probe.name}/features" in one.measured.found)
    probe = next(encoded, None)
    if probe is None:
        return None
    own, real = (features_of(each, probe).double() for each in (one.measured, one.evaluation.against.reference))
    return torch.cdist(own, real).topk(min(NEIGHBOURS, len(real)), largest=False).values.mean(1)


def _novelty(one: Judged) -> Novelty | None:
    return next((metric for metric in one.evaluation.metrics if isinstance(metric, Novelty)), None)


def _pair(one: Judged, network: Network, index: int, figures: dict[str, str]) -> Pair:
    """Show a measured output beside its nearest training sound."""
    output, novelty = _clip(one, network, int(one.measured.places[index])), _novelty(one)
    if novelty is None:
        return Pair(output, None, figures)
    alone = one.measured.part(np.asarray([index]))
    return Pair(output, _nearest(one, novelty, alone), figures)


def _nearest(one: Judged, novelty: Novelty, alone: Measured) -> Clip:
    against, data = one.evaluation.against, one.evaluation.data
    _, place = novelty.distances(alone, against)
    item = int(against.train.items[int(place[0])])
    sound = data.real.heard(np.asarray([item])).sounds[0]
    record = data.archive.item(item)
    return Clip(str(record["source"]), sound.cpu().numpy(), data.view.sample_rate)


def _clip(one: Judged, network: Network, place: int) -> Clip:
    """Make an output again."""
    seed = one.measured.subject.seeds[place]
    with torch.inference_mode():
        items = asked(network, [seed], one.evaluation.data.archive)
        picture = pictures_of(network, [seed], items, one.evaluation.data.archive)
        sound = network.view.sound(picture, [seed])[0].float().cpu().numpy()
    return Clip(f"seed {seed}", sound, network.view.sample_rate, seed=seed)
