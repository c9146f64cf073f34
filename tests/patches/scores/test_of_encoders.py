# SPDX-License-Identifier: Apache-2.0
"""Comparing embeddings where they say nothing."""

import math
from dataclasses import replace

import torch

from patches.scores.metrics.distance import FrechetDistance, KernelDistance
from patches.scores.metrics.spread import Coverage
from patches.scores.probes import Probe
from patches.scores.sounds import Heard


def constant(heard: Heard) -> dict[str, torch.Tensor]:
    return {"features": torch.ones(len(heard.sounds), 3)}


def test_an_encoder_that_tells_no_sounds_apart_gives_rows_that_say_so_and_the_others_stand(made):
    real = made.probes[0]
    dull = Probe("dull", "dull 1", constant)
    probes = (dull, real)
    metrics = (KernelDistance(probes), FrechetDistance(probes), Coverage(probes))
    told = replace(made, metrics=metrics)
    rows = told.scores(told.measured(made.data.real.subject("real", made.data.train)))
    kad, frechet = (
        next(row for row in rows if (row.metric, row.features) == (m, "dull 1")) for m in ("kad", "frechet")
    )
    assert math.isnan(kad.values["kad"].value)
    assert "most reference features are equal" in kad.notes[0]
    assert math.isnan(frechet.values["frechet_infinity"].value)
    assert "all references are equal" in frechet.notes[0]
    assert all(math.isfinite(row.values["kad"].value) for row in rows if row.metric == "kad" and row is not kad)
