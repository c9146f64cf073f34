# SPDX-License-Identifier: Apache-2.0
"""Less precision inside the networks: every phase's gradients stay near float32's, and a training what it was."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stylegan3.training.gradients import NONFINITE
from stylegan3.training.phases import phases_of
from stylegan3.training.setup import LOSS_SCALE, Setup
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.support import KINDS, everything_on, setup, trained

ALLOWED = {torch.bfloat16: 0.2, torch.float16: 0.04}
"""Rms error of a phase's gradient: rounding, and activations that it moves over the leaky relu's kink."""


def gradients(arrangement: Setup, inner: torch.dtype) -> dict[str, Tensor]:
    """Return what each phase of the first iteration hands to its optimiser, from the same weights."""
    trainer = Trainer(replace(arrangement, inner=inner))
    found: dict[str, Tensor] = {}
    for phase in phases_of(arrangement):
        parameters = list(trainer.network(phase.network).parameters())

        def keep(name: str = phase.name, of: list[torch.nn.Parameter] = parameters) -> None:
            found[name] = torch.cat([p.grad.flatten() for p in of if p.grad is not None])

        trainer.optimizers[phase.network].step = keep  # type: ignore[method-assign]
        trainer.phases = (phase,)
        trainer.step(*next(trainer.batches()))
        trainer.images = 0
    return found


@pytest.mark.parametrize("inner", ALLOWED)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_every_phase_stay_near_float32s(kind, inner):
    arrangement = everything_on(kind)
    right, found = (gradients(arrangement, each) for each in (torch.float32, inner))
    assert right.keys() == found.keys()
    for name, value in right.items():
        error = float((found[name] - value).norm() / value.norm())
        print(f"{kind} {inner} {name}: {error:.1e}")
        assert found[name].dtype == torch.float32
        assert 1e-6 < error < ALLOWED[inner], name


@pytest.mark.parametrize("gamma", [1e-3, 1e3])
def test_float16_holds_small_and_large_gradients_alike(gamma, monkeypatch):
    """R1's weight scales them; float16 ends at 6e-8 and at 65504."""
    arrangement = setup("stylegan2", gamma=gamma)
    right = gradients(arrangement, torch.float32)["D R1"]

    def error() -> float:
        return float((gradients(arrangement, torch.float16)["D R1"] - right).norm() / right.norm())

    assert error() < ALLOWED[torch.float16]
    monkeypatch.setattr("stylegan3.training.setup.LOSS_SCALE", 1.0)
    assert (error() > ALLOWED[torch.float16]) == (gamma < 1)  # what the scale is for


def test_losses_are_scaled_for_float16_alone():
    arrangement = setup("stylegan2")
    scales = [replace(arrangement, inner=inner).loss_scale for inner in (torch.float32, torch.bfloat16, torch.float16)]
    assert scales == [1.0, 1.0, LOSS_SCALE]


def test_gradients_that_overflow_are_counted(monkeypatch):
    arrangement = replace(setup("stylegan2"), inner=torch.float16)
    names = [f"{NONFINITE}{name}" for name in ("G", "D", "within losses")]

    def shares(of: Setup) -> list[float]:
        found = trained(of, 2).stats.read()
        return [found[name]["mean"] for name in names if name in found]

    assert shares(arrangement) == [0, 0, 0]
    assert shares(replace(arrangement, inner=torch.bfloat16)) == []  # nothing is replaced there
    monkeypatch.setattr("stylegan3.training.setup.LOSS_SCALE", 2.0**40)
    assert all(0.1 < share <= 1 for share in shares(arrangement))


@pytest.mark.parametrize("inner", ALLOWED)
def test_a_training_in_less_precision_keeps_float32_weights_and_is_exact_after_a_resume(inner):
    arrangement = replace(everything_on("stylegan2"), inner=inner)
    whole = trained(arrangement, 6)
    saved = {name: value.clone() for name, value in trained(arrangement, 3).state().items()}
    assert {value.dtype for name, value in saved.items() if name[:2] in ("G.", "D.")} == {torch.float32}
    resumed = Trainer(arrangement)
    resumed.load_state(saved)
    trained(arrangement, 3, resumed)
    a, b = whole.state(), resumed.state()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []
