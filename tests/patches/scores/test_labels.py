# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
import torch

from patches.scores.classifier import Classifier, HeldOut
from patches.scores.classifier_networks import build
from patches.scores.evaluation import Evaluation
from patches.scores.metrics.labels import Classes, Taught


@pytest.fixture(scope="module")
def asked(made: Evaluation) -> Evaluation:
    """A classifier that learned nothing."""
    form, (labels,) = made.data.archive.representation, made.data.archive.label_sets
    network = build("waveform", form.sample_rate, form.samples, len(labels.classes), torch.Generator().manual_seed(0))
    network.eval().requires_grad_(False)
    accuracy = HeldOut(1, 3, 6, "none")
    made_of = (network, "waveform", labels.name, labels.classes, form.sample_rate, form.samples, 0, accuracy)
    return replace(made, metrics=(Classes((Taught.of(Classifier(*made_of), form.sample_rate),)),))


def test_accuracy_is_of_the_classes_that_were_asked_for(asked):
    (row,) = asked.scores(asked.measured(asked.data.real.subject("real", asked.data.train[:20])))
    assert 0 <= row.values["accuracy"].value <= 1
    assert row.values["classifier_accuracy"].value == pytest.approx(1 / 3)


def test_sounds_that_were_asked_for_no_class_have_no_accuracy(asked):
    subject = asked.data.real.subject("untold", asked.data.train[:20])
    (row,) = asked.scores(asked.measured(replace(subject, label_sets=frozenset())))
    assert "accuracy" not in row.values
    assert "inception_score" in row.values
