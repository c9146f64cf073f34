# SPDX-License-Identifier: Apache-2.0
"""Scoring sets of sounds by several metrics in one go through each set, with the anchors that belong to every table."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from patches.console import progress
from patches.generate.points import numbers_in_name
from patches.scores.anchors import anchor_sets
from patches.scores.cache import Cache
from patches.scores.data import Data, halves
from patches.scores.metrics.metric import Against, Judge, Metric
from patches.scores.probes import Advance, Measured, Probe, measure
from patches.scores.rows import Score
from patches.scores.sounds import Subject

ANCHORS_VERSION = 2  # of what anchors are


@dataclass(frozen=True)
class Evaluation:
    """Metrics on the data that sounds are compared with."""

    data: Data
    metrics: tuple[Metric, ...]

    @cached_property
    def probes(self) -> tuple[Probe, ...]:
        """Everything that is asked of a sound, once each."""
        return tuple({probe.name: probe for metric in self.metrics for probe in metric.probes}.values())

    @cached_property
    def against(self) -> Against:
        """The data, measured (or read from what was)."""
        reference = self.data.measured(self.data.reference_name, self.data.reference, self.probes)
        train = self.data.measured("train", self.data.train, self.probes)
        return Against(reference, train, self.data.archive, self.data.held_out)

    @cached_property
    def _judges(self) -> tuple[Judge, ...]:
        return tuple(metric.judge(self.against) for metric in self.metrics)

    def measured(self, subject: Subject, *, until: float | None = None, advance: Advance = lambda n: None) -> Measured:
        """Go through a set once; `until` as in `measure`."""
        return measure(subject, self.probes, until=until, advance=advance)

    def scores(self, measured: Measured, judges: Sequence[Judge] | None = None) -> list[Score]:
        """Judge a set by every metric."""
        found = []
        for metric, judge in zip(self.metrics, judges or self._judges, strict=True):
            found += [_score(metric.name, measured, part) for part in judge(measured)]
        return found

    def anchors(self) -> list[Score]:
        """Score the anchors, or read what they scored before with the same data, view, metrics and versions.

        Kept for this object too, since the folder of the data may be one that can't be written.
        """
        return list(self._anchors)

    @cached_property
    def _anchors(self) -> tuple[Score, ...]:
        cache, what = Cache(self.data.archive, self.data.view), self._anchors_key()
        kept = cache.read(what)
        if kept is not None:
            return tuple(Score.from_dict(one) for one in kept[1]["rows"])
        found = [score for measured in self._anchor_sets() for score in self.scores(*measured)]
        cache.write(what, {}, {"rows": [json.loads(json.dumps(one.to_dict())) for one in found]})
        return tuple(found)

    def _anchor_sets(self) -> Iterator[tuple[Measured, Sequence[Judge] | None]]:
        if self.data.held_out:
            first, second = halves(self.against.reference.count)
            reference = self.against.reference
            rest = Against(reference.part(second), self.against.train, self.data.archive)
            named = Subject("held-out real", "anchor", len(first), reference.subject.batches)
            yield reference.part(first).named(named), [metric.judge(rest) for metric in self.metrics]
        for subject in anchor_sets(self.data):
            with progress(subject.name, subject.count, "sounds") as advance:
                yield self.measured(subject, advance=advance), None

    def _anchors_key(self) -> dict[str, Any]:
        # in their order: the first encoder is the one of novelty
        probes = [[probe.name, probe.version] for probe in self.probes]
        metrics = [metric.name for metric in self.metrics]
        sets = [len(items) for items in (self.data.reference, self.data.train, self.data.others)]
        return {"anchors": ANCHORS_VERSION, "metrics": metrics, "probes": probes, "sets": sets}


def _score(metric: str, measured: Measured, part: Any) -> Score:
    subject = measured.subject
    left_out = f"{measured.broken} sounds that are not finite are left out"
    return Score(
        metric=metric,
        features=part.features,
        system=subject.name,
        kind=subject.kind,
        values=part.values,
        count=measured.count,
        reference=part.reference,
        seeds=numbers_in_name([subject.seeds[place] for place in measured.places]) if subject.seeds else "",
        seconds=round(measured.seconds, 2),
        kimg=subject.kimg,
        notes=(*part.notes, *([left_out] if measured.broken else [])),
    )
