# SPDX-License-Identifier: Apache-2.0
"""A training whose phases are recorded and replayed is the training that computes them anew."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from stylegan3.training import recorded
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.support import KINDS, Louder, everything_on, trained
from tests.stylegan3.training.tape import Tapes

ITERATIONS = 36  # R1 comes every 16: it is recorded at the third time


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tape is slower than what it repeats."""
    monkeypatch.setattr(recorded, "MARGIN", 0.0)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.mark.parametrize("batch_gpu", [None, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_replayed_is_computed(kind, batch_gpu, said):
    """Bit for bit, with every phase, classes, ADA's moving p, and a state taken up in the middle."""
    arrangement = replace(everything_on(kind, batch_gpu=batch_gpu), ops="reference")
    tapes = Tapes()
    plain = trained(arrangement, ITERATIONS)
    replayed = trained(arrangement, ITERATIONS, Trainer(arrangement, recorder=tapes, tell=said.append))
    phases = [phase.name for phase in plain.phases]
    assert sorted(line.split(":")[0] for line in said) == sorted(phases)
    assert all(": recorded" in line for line in said)
    assert tapes.replays > 2 * ITERATIONS
    ...
