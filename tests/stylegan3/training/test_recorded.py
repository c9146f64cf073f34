# SPDX-License-Identifier: Apache-2.0
"""A training whose phases are recorded and replayed is the training that computes them anew."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stylegan3.errors import NetworkError
from stylegan3.networks import Discriminator, Generator
from stylegan3.training import recorded
from stylegan3.training.draws import KeptDraws
from stylegan3.training.gradients import NONFINITE
from stylegan3.training.passes import Given, Passes, Reals
from stylegan3.training.phases import Found, phases_of
from stylegan3.training.rng import generator
from stylegan3.training.setup import Setup
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.support import KINDS, SHAPE, Louder, everything_on, setup, trained
from tests.stylegan3.training.tape import Tapes, from_the_cpu

ITERATIONS = 36  # R1 comes every 16 and is recorded at its third time
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
def test_replayed_is_computed(kind, batch_gpu, monkeypatch):
    """Bit for bit, with every phase, classes, style mixing and a p of ADA that moves."""
    monkeypatch.setattr(recorded, "WARM", 1)  # R1 comes every 16 iterations: with p > 0 it is recorded at the second
    arrangement, tapes = by_definition(kind, batch_gpu=batch_gpu), Tapes()
    plain = Trainer(arrangement)
    other = Trainer(arrangement, recorder=tapes, spans=tapes.none_opens_while_recording)
    for trainer in (plain, other):
        trained(arrangement, 20, trainer)
        trainer.stats.clear()  # a tick ends
        trained(arrangement, ITERATIONS - 20, trainer)
    assert plain.ada.p > 0.5
    said = other.said()
    assert [line for line in said if ": recorded, " not in line] == []
    names = {line.split(":")[0] for line in said}
    assert names >= {f"{phase.name}, augmented" for phase in plain.phases if phase.augments}
    assert names - {f"{phase.name}, augmented" for phase in plain.phases} == {
        phase.name for phase in plain.phases if phase.name != "D R1"
    }
    assert "G path length, augmented" not in names  # it shows D nothing
    assert other.said() == []
    assert tapes.replays > 2 * 30 + 2 * len(said)  # two to try each
    assert equal(plain, other)


def test_replays_count_gradients_that_overflow(monkeypatch):
    """R1's within its loss lie in what is recorded; a replay is of other pictures than the recording."""
    monkeypatch.setattr(recorded, "WARM", 0)
    monkeypatch.setattr("stylegan3.training.setup.LOSS_SCALE", 2.0**17)  # some overflow, not all
    arrangement = replace(by_definition("stylegan3-t"), inner=torch.float16)
    plain, other = Trainer(arrangement), Trainer(arrangement, recorder=Tapes())
    for trainer in (plain, other):
        trained(arrangement, 17, trainer)
    assert [line for line in other.said() if ": recorded, " not in line] == []
    assert 0 < plain.stats.read()[f"{NONFINITE}within losses"]["mean"] < 1
    assert equal(plain, other)


def test_with_augmentation_and_without_it_a_phase_is_recorded_apart():
    arrangement, tapes = by_definition("stylegan3-t"), Tapes()
    arrangement = replace(arrangement, hyper=replace(arrangement.hyper, aug="fixed"))
    plain, other = Trainer(arrangement), Trainer(arrangement, recorder=tapes)
    for trainer in (plain, other):
        for p in (0.0, 0.0, 0.0, 0.5, 0.9, 1e-6, 0.5, 0.0, 0.5):
            trainer.ada.p = p
            trained(arrangement, 1, trainer)
    names = [line.split(": recorded")[0] for line in other.said()]
    assert names == ["G main", "D main", "G main, augmented", "D main, augmented"]
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
class Gated(Louder):
    """An augmentation that takes a number from the CPU where something was drawn."""

    times: int = 0

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        self.times += 1
        drawn = (draws["factor"] != 1).to(pictures)[:, None, None, None]
        return super().__call__(pictures, draws) * (1 + self.times * drawn)


@dataclass
class Baked(Louder):
    """An augmentation that goes on adding the pictures that it was recorded with."""

    tapes: Tapes
    kept: Tensor | None = None

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        if not self.tapes.recording:
            self.kept = pictures.detach().clone()
        assert self.kept is not None
        return super().__call__(pictures, draws) + self.kept


def test_data_of_the_recording_are_not_taken_for_the_coming_ones(monkeypatch):
    monkeypatch.setattr(recorded, "WARM", 0)
    tapes = Tapes()
    arrangement = augmented(Baked(tapes))
    trainer = trained(arrangement, 1, Trainer(arrangement, recorder=tapes))
    assert "D R1, augmented: not recorded (replayed it gives something else)" in trainer.said()


@dataclass
class Reading(Louder):
    """An augmentation that looks at its draws wherever they lie."""

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        return super().__call__(pictures, draws) if bool(draws["factor"].any()) else pictures


@dataclass
class Refusing(Louder):
    """An augmentation that must look at its draws."""

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        if not readable:
            raise NetworkError("draws must be readable")
        return super().__call__(pictures, draws)


def augmented(augment: Louder, p: float = 0.5) -> Setup:
    arrangement = by_definition("stylegan3-t")
    return replace(arrangement, augment=augment, hyper=replace(arrangement.hyper, aug="fixed", aug_p=p))


def said_of(reason: str) -> list[str]:
    return [f"{name}, augmented: not recorded ({reason})" for name in ("G main", "D main")]


@pytest.mark.parametrize("augment", [Growing, Remembering, Gated])
def test_what_takes_numbers_from_the_cpu_is_not_replayed(augment):
    """Nor where p is so small yet that an augmentation does nothing."""
    arrangement = augmented(augment(), 1e-6)
    trainer = trained(arrangement, 3, Trainer(arrangement, recorder=Tapes()))
    assert trainer.said() == said_of("replayed it gives something else")


@pytest.mark.parametrize(
    ("augment", "reason"),
    [
        (Reading, "aten::_local_scalar_dense: operation not permitted when stream is capturing"),
        (Refusing, "draws must be readable"),
    ],
)
def test_what_cannot_be_recorded_is_computed_as_before(augment, reason):
    arrangement, tapes = augmented(augment()), Tapes()
    other = trained(arrangement, 6, Trainer(arrangement, recorder=tapes))
    assert other.said() == said_of(reason)
    assert tapes.replays == 0
    assert equal(other, trained(arrangement, 6))


def test_what_is_not_faster_is_computed_as_before(monkeypatch):
    monkeypatch.setattr(recorded, "MARGIN", 1e9)
    arrangement, tapes = augmented(Louder()), Tapes()
    other = trained(arrangement, 6, Trainer(arrangement, recorder=tapes))
    assert all(line.endswith("x as fast replayed)") for line in other.said())
    assert tapes.replays == 2 * (1 + recorded.TAKES)  # to compare, and to be timed
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
    arrangement = augmented(Louder())
    other = trained(arrangement, 6, Trainer(arrangement, ranks=Disagreeing(), recorder=Tapes()))
    assert other.said() == said_of("another rank can not")
    assert equal(other, trained(arrangement, 6))


def test_a_blur_whose_width_changes_is_not_recorded():
    """Of the 48 pictures until it has width 0, 40 are enough for one below a third of a pixel, which does nothing."""
    arrangement = replace(setup("stylegan3-t", blur_sigma=1.5, blur_kimg=0.048), ops="reference")
    other = Trainer(arrangement, recorder=Tapes())
    trained(arrangement, 7, other)
    assert other.said() == []
    trained(arrangement, 1, other)
    assert [line.split(":")[0] for line in other.said()] == ["G main", "D main"]
    early = {name: value.clone() for name, value in trained(arrangement, 1).state().items()}
    other.load_state(early)
    assert equal(trained(arrangement, 1, other), trained(arrangement, 2))  # what stands is of no use there


def test_results_agree_up_to_rounding_and_no_further():
    large, small = torch.full([100], 10.0), torch.full([4], 1e-3)

    def results(*gradients: Tensor | None, loss: float = 1.0, length: float = 2.0, moment: float = 3.0) -> Any:
        found = Found(losses=[torch.tensor(loss)], path_lengths=[torch.tensor([length])])
        found.moments.add("magnitude", torch.tensor(moment), 1)
        return recorded._Results.of(found, gradients)

    wanted = results(large, small)
    assert results(large * 1.001, small * 1.5).agree(wanted)  # 1e-3 is what is left of sums of tens
    assert not results(large * 1.02, small).agree(wanted)
    assert not results(large, small + 1).agree(wanted)
    assert not results(large, None).agree(wanted)
    assert not results(large, small, loss=1.02).agree(wanted)
    assert not results(large, small, length=2.04).agree(wanted)
    assert not results(large, small, moment=3.06).agree(wanted)
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
        with from_the_cpu() as found:
            passes(phase, given)
        assert found == []
