# SPDX-License-Identifier: Apache-2.0
"""What classifiers trained on the dataset's own labels say: inception scores, and whether a class is the asked one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from patches.scores.classifier import Classifier
from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.probes import Measured, Probe
from patches.scores.sounds import Heard
from stylegan3.metrics import class_scores


@dataclass(frozen=True)
class Taught:
    """A classifier and its probe."""

    classifier: Classifier
    probe: Probe

    @classmethod
    def of(cls, classifier: Classifier, sample_rate: int) -> "Taught":
        """Make the probe that asks a classifier."""
        look = partial(_look, classifier, sample_rate)
        return cls(classifier, Probe(f"{classifier.kind} classifier", classifier.version, look))


def _look(classifier: Classifier, sample_rate: int, heard: Heard) -> Mapping[str, Tensor]:
    return {"probabilities": classifier.probabilities(heard.sounds, sample_rate)}


@dataclass(frozen=True)
class Classes:
    """Inception score, its modified kin and class accuracy, one row a classifier, whose own accuracy stands beside."""

    taught: tuple[Taught, ...]
    name: str = "classes"

    @property
    def probes(self) -> tuple[Probe, ...]:
        """One a classifier."""
        return tuple(one.probe for one in self.taught)

    def judge(self, against: Against) -> Judge:
        """Take the train set's classes as the prior."""

        def judge(measured: Measured) -> list[Part]:
            return [_part(one, measured, against) for one in self.taught]

        return judge


def _part(one: Taught, measured: Measured, against: Against) -> Part:
    probabilities = measured.found[f"{one.probe.name}/probabilities"]
    labels = against.archive.label_values(one.classifier.label_set)
    of_train = labels[against.train.items]
    prior = np.bincount(of_train[of_train >= 0], minlength=len(one.classifier.classes)).astype(np.float64)
    rng = torch.Generator().manual_seed(0)
    known = (measured.items >= 0) & measured.subject.asked_for(one.classifier.label_set)
    asked = np.where(known, labels[np.maximum(measured.items, 0)], -1)
    wanted = torch.from_numpy(asked) if (asked >= 0).any() else None
    values = class_scores(probabilities, prior=torch.from_numpy(prior), wanted=wanted, rng=rng)
    values["classifier_accuracy"] = one.classifier.accuracy.estimate
    return Part(one.probe.version, values, len(of_train))
