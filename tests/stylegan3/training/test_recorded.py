# SPDX-License-Identifier: Apache-2.0
"""A training whose phases are recorded and replayed is the training that computes them anew."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stylegan3.networks import Discriminator, Generator
from stylegan3.training import recorded
from stylegan3.training.draws import KeptDraws
from stylegan3.training.passes import Given, Passes, Reals
from stylegan3.training.phases import phases_of
from stylegan3.training.rng import generator
from stylegan3.training.setup import Setup
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.support import KINDS, SHAPE, Louder, everything_on, setup, trained
from tests.stylegan3.training.tape import FromTheCpu, Tapes

ITERATIONS = 36  # R1 comes every 16 and is recorded at its third time
PHASES = {
    "stylegan2": ["G main", "D main", "G path length", "D R1"],
    "stylegan3-t": ["G main", "D main", "D R1"],
}
META = torch.device("meta")


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tape is slower than what it repeats."""
    monkeypatch.setattr(recorded, "MARGIN", 0.0)


def by_definition(kind: str, **numbers: Any) -> Setup:
    """A setup with everything on, of torch's operations alone: a tape sees no others."""
    return replace(everything_on(kind, **numbers), ops="reference")


def equal(a: Trainer, b: Trainer) -> bool:
    one, other = a.state(), b.state()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("batch_gpu", [None, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_replayed_is_computed(kind, batch_gpu):
    """Bit for bit, with every phase, classes, style mixing and a p of ADA that moves."""
    arrangement, tapes = by_definition(kind, batch_gpu=batch_gpu), Tapes()
    plain, other = Trainer(arrangement), Trainer(arrangement, recorder=tapes)
    for trainer in (plain, other):
        trained(arrangement, 20, trainer)
        trainer.stats.clear()  # a tick ends
        trained(arrangement, ITERATIONS - 20, trainer)
    assert plain.ada.p > 0.5
    assert [line.split(": recorded, ")[0] for line in other.said()] == PHASES[kind]
    assert other.said() == []
    times = [len(range(0, ITERATIONS, phase.interval)) for phase in plain.phases]
    assert tapes.replays == sum(2 + all_ - recorded.WARM - 1 for all_ in times)  # two to try it
    assert equal(plain, other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_is_taken_up_by_recordings_that_stand(kind):
    arrangement = by_definition(kind)
    whole = trained(arrangement, 8)
    halfway = {name: value.clone() for name, value in trained(arrangement, 4).state().items()}
    other = trained(arrangement, 6, Trainer(arrangement, recorder=Tapes()))
    other.load_state(halfway)
    assert equal(trained(arrangement, 4, other), whole)


@dataclass
class Growing(Louder):
    """An augmentation that takes a number from the CPU, another one each time."""

    times: int = 0

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        self.times += 1
        return super().__call__(pictures, draws) * (1 + self.times)


@dataclass
class Remembering(Louder):
    """An augmentation that keeps what it drew on the CPU."""

    factor: float = 1.0

    def draw(self, n: int, p: float, rng: torch.Generator) -> dict[str, Tensor]:
        self.factor = float(torch.rand((), generator=rng))
        return super().draw(n, p, rng)

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        return super().__call__(pictures, draws) * self.factor


@dataclass
class Reading(Louder):
    """An augmentation that looks at its draws wherever they lie."""

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        return super().__call__(pictures, draws) if bool(draws["factor"].any()) else pictures


@pytest.mark.parametrize("augment", [Growing(), Remembering()], ids=["growing", "remembering"])
def test_what_takes_numbers_from_the_cpu_is_not_replayed(augment):
    arrangement = by_definition("stylegan3-t")
    arrangement = replace(arrangement, augment=augment, hyper=replace(arrangement.hyper, aug="fixed"))
    trainer = trained(arrangement, 3, Trainer(arrangement, recorder=Tapes()))
    assert trainer.said() == [
        f"{name}: not recorded (replayed it gives something else)" for name in PHASES["stylegan3-t"][:2]
    ]


def test_what_cannot_be_recorded_is_computed_as_before():
    arrangement, tapes = replace(by_definition("stylegan3-t"), augment=Reading()), Tapes()
    other = trained(arrangement, 6, Trainer(arrangement, recorder=tapes))
    assert [line[: line.index("aten")] for line in other.said()] == ["G main: not recorded (", "D main: not recorded ("]
    assert tapes.replays == 0
    assert equal(other, trained(arrangement, 6))


def test_what_is_not_faster_is_computed_as_before(monkeypatch):
    monkeypatch.setattr(recorded, "MARGIN", 1e9)
    arrangement, tapes = by_definition("stylegan3-t"), Tapes()
    other = trained(arrangement, 6, Trainer(arrangement, recorder=tapes))
    assert all(line.endswith("x as fast replayed)") for line in other.said())
    assert tapes.replays == 4
    assert equal(other, trained(arrangement, 6))


@dataclass
class Disagreeing:
    """One of two ranks, the other of which can't record; sums are its own."""

    rank, count = 0, 1

    def start_sum(self, values: Tensor) -> Callable[[], None]:
        return lambda: None

    def start_min(self, values: Tensor) -> Callable[[], None]:
        values.zero_()
        return lambda: None

    def broadcast(self, values: Tensor, source: int) -> None: ...


def test_ranks_record_together_or_not_at_all():
    arrangement, tapes = by_definition("stylegan3-t"), Tapes()
    other = trained(arrangement, 6, Trainer(arrangement, ranks=Disagreeing(), recorder=tapes))
    assert other.said() == [f"{name}: not recorded (another rank can not)" for name in PHASES["stylegan3-t"][:2]]
    assert equal(other, trained(arrangement, 6))


def test_a_blur_whose_width_changes_is_not_recorded():
    arrangement = replace(setup("stylegan3-t", blur_sigma=2.0, blur_kimg=0.04), ops="reference")
    other = Trainer(arrangement, recorder=Tapes())
    trained(arrangement, 5, other)
    assert other.said() == []  # 40 pictures, of which a blur sees 34
    trained(arrangement, 3, other)
    assert [line.split(":")[0] for line in other.said()] == ["G main", "D main"]


def test_results_agree_up_to_rounding_and_no_further():
    results = lambda *gradients, loss=1.0: recorded._Results([torch.tensor([loss])], list(gradients))  # noqa: E731
    large, small = torch.full([100], 10.0), torch.full([4], 1e-3)
    wanted = results(large, small)
    assert results(large * 1.001, small * 1.5).agree(wanted)  # 1e-3 is what is left of sums of tens
    assert not results(large * 1.02, small).agree(wanted)
    assert not results(large, small + 1).agree(wanted)
    assert not results(large, None).agree(wanted)
    assert not results(large, small, loss=1.02).agree(wanted)
    assert not results(large * float("nan"), small).agree(wanted)
    infinite = results(large * float("inf"), small)
    assert infinite.agree(infinite)  # as scaled float16 may overflow
    assert not infinite.agree(wanted)


class MetaDraws(KeptDraws):
    """Draws whose values don't matter; the meta device has no generators."""

    def _rng(self, group: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        return generator("meta")


@pytest.mark.parametrize("kind", KINDS)
def test_once_draws_are_made_nothing_comes_from_the_cpu(kind):
    """A graph would keep it as it was, and can't hold a copy from memory that isn't pinned."""
    arrangement = everything_on(kind)
    with META:
        networks: dict[str, nn.Module] = {
            "G": Generator(arrangement.generator),
            "D": Discriminator(arrangement.discriminator),
        }
        reals = Reals(torch.zeros(8, *SHAPE), torch.zeros(8, 2))
        mean = torch.zeros([])
    passes = Passes(arrangement, networks["G"], networks["D"])  # type: ignore[arg-type]
    for phase in phases_of(arrangement):
        for name, network in networks.items():
            network.requires_grad_(name == phase.network)
        hyper = arrangement.hyper
        given = Given([MetaDraws(hyper, phase.name, 0, range(hyper.groups), META)], [reals], mean)
        passes(phase, given)
        with FromTheCpu() as mode:
            passes(phase, given)
        assert mode.found == []
