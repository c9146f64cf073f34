# SPDX-License-Identifier: Apache-2.0
"""From names on a command line to an evaluation: metrics, their encoders and classifiers, and what each needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from patches.console import progress
from patches.errors import UserError
from patches.scores.classifier import Classifier
from patches.scores.classifier_networks import KINDS, Kind
from patches.scores.classifier_training import cached
from patches.scores.data import Data
from patches.scores.encoders import find_encoders
from patches.scores.encoders.pictures import picture_encoder
from patches.scores.evaluation import Evaluation
from patches.scores.metrics.copies import Novelty
from patches.scores.metrics.distance import FrechetDistance, KernelDistance
from patches.scores.metrics.labels import Classes, Taught
from patches.scores.metrics.metric import Metric
from patches.scores.metrics.of_encoders import probes_of
from patches.scores.metrics.pictures import Pictures, inception_probe, picture_probe
from patches.scores.metrics.pitches import Pitch, pitch_probe
from patches.scores.metrics.sound import Defects, defects_probe
from patches.scores.metrics.spread import Coverage, DifferentBins
from patches.scores.names import DEFAULT
from patches.scores.probes import Probe
from patches.views import View
from spect.archive.sets import CLASSES
from spect.archives.opening import AnyArchive

ENCODERS = ("log-mel", "modulation", "waveform", "stereo")


@dataclass(frozen=True)
class Wanted:
    """What to score with.

    Args:
        metrics: names, as in METRICS; encoders: names or files.
        inception: an image network's file, for FID.
    """

    metrics: tuple[str, ...] = DEFAULT
    encoders: tuple[str, ...] = ENCODERS
    inception: str | None = None


@dataclass(frozen=True)
class Parts:
    """What metrics are built from."""

    data: Data
    wanted: Wanted
    encoders: tuple[Probe, ...] = field(default=())

    @classmethod
    def of(cls, data: Data, wanted: Wanted) -> "Parts":
        """Find the encoders."""
        found = find_encoders(wanted.encoders)
        return cls(data, wanted, probes_of(found, data.view.sample_rate))

    def kad(self) -> Metric:
        return KernelDistance(self.encoders)

    def frechet(self) -> Metric:
        return FrechetDistance(self.encoders)

    def prdc(self) -> Metric:
        return Coverage(self.encoders)

    def ndb(self) -> Metric:
        return DifferentBins(self.encoders)

    def novelty(self) -> Metric:
        return Novelty(self.encoders[0])

    def defects(self) -> Metric:
        view = self.data.view
        return Defects(defects_probe(view.sample_rate, round(view.samples / view.shape[2])))

    def pitch(self) -> Metric:
        return Pitch(pitch_probe(self.data.view.sample_rate))

    def classes(self) -> Metric:
        archive, device = self.data.archive, self.data.real.device
        label_set = next((one for one in archive.label_sets if one.kind == CLASSES), None)
        if label_set is None:
            raise UserError(
                f"--metrics=classes: {archive.path} has no classes; build it with --labels=folders, or leave it out"
            )
        classifiers = [_taught(archive, label_set.name, kind, device) for kind in KINDS]
        return Classes(tuple(Taught.of(one, self.data.view.sample_rate) for one in classifiers))

    def pictures(self) -> Metric:
        difference = picture_probe(self.data.real, self.data.reference)
        if self.wanted.inception is None:
            return Pictures(difference)
        encoder = picture_encoder(Path(self.wanted.inception))
        return Pictures(difference, inception_probe(encoder, self.data.view.preview, encoder.version))


def _taught(archive: AnyArchive, label_set: str, kind: Kind, device: torch.device) -> Classifier:
    """Train a classifier, or read the one that was trained, with a bar."""
    with progress(f"teaching the {kind} classifier", 100, "%") as advance:
        shown = 0

        def to(share: float) -> None:
            nonlocal shown
            advance(round(100 * share) - shown)
            shown = round(100 * share)

        return cached(archive, label_set, kind, device=device, progress=to)


METRICS: dict[str, Callable[[Parts], Metric]] = {
    "kad": Parts.kad,
    "frechet": Parts.frechet,
    "prdc": Parts.prdc,
    "ndb": Parts.ndb,
    "classes": Parts.classes,
    "pitch": Parts.pitch,
    "defects": Parts.defects,
    "novelty": Parts.novelty,
    "pictures": Parts.pictures,
}


def has_classes(archive: AnyArchive) -> bool:
    """Whether an archive has classes to tell apart."""
    return any(one.kind == CLASSES and len(one.classes) > 1 for one in archive.label_sets)


def evaluation(archive: AnyArchive, view: View, wanted: Wanted, device: torch.device) -> Evaluation:
    """Build an evaluation.

    Raises:
        UserError: an unknown metric or encoder, too few sounds, other rates, missing labels.
    """
    parts = Parts.of(Data.of(archive, view, device), wanted)
    return Evaluation(parts.data, tuple(METRICS[name](parts) for name in wanted.metrics))


def names_of(encoders: Sequence[str]) -> tuple[str, ...]:
    """Read --encoder: names and files, each once; none given: the built-in ones."""
    return tuple(dict.fromkeys(encoders)) or ENCODERS
