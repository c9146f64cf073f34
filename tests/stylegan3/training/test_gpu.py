# SPDX-License-Identifier: Apache-2.0
"""Training on a CUDA device: every phase and augmentation runs there, and a state goes over and back."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from stylegan3.ops.verdicts import exact
from stylegan3.training import recorded
from stylegan3.training.recorded import Graphs
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.support import KINDS, everything_on, setup, trained

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def _all_bits() -> Iterator[None]:
    """Float32 keeps its bits, as on a CPU."""
    with exact():
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_iterations_on_the_device_end_near_the_cpus(kind: str) -> None:
    arrangement = setup(kind, aug="fixed", aug_p=0.5)
    on_cpu, on_device = Trainer(arrangement), Trainer(arrangement, "cuda")
    on_device.load_state(on_cpu.state())
    source = on_cpu.batches(workers=2)
    for _ in range(5):  # R1 at the first, path length at the first and the fifth
        batch = next(source)
        on_cpu.step(*batch)
        on_device.step(*batch)
    source.close()
    state = on_device.state()
    assert all(bool(torch.isfinite(value).all()) for value in state.values())
    again = Trainer(arrangement)
    again.load_state({name: value.cpu() for name, value in state.items()})
    assert again.images == on_cpu.images
    assert abs(float(again.path_length_mean) - float(on_cpu.path_length_mean)) <= 0.5 * abs(
        float(on_cpu.path_length_mean)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_replayed_iterations_move_networks_as_plain_ones_do(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the order in which a card adds up; every phase is recorded, R1 in iteration 16."""
    for name, value in (("MARGIN", 0.0), ("WARM", 1)):
        monkeypatch.setattr(recorded, name, value)
    arrangement, device = everything_on(kind, seed=1), torch.device("cuda")
    arrangement = replace(arrangement, hyper=replace(arrangement.hyper, aug="fixed", aug_p=0.5))
    plain, replayed = Trainer(arrangement, device), Trainer(arrangement, device, recorder=Graphs(device))
    start = torch.cat([value.flatten() for value in plain.discriminator.parameters()])
    for trainer in (plain, replayed):
        trained(arrangement, 20, trainer)
    said = replayed.said()
    assert [line for line in said if ": recorded, " not in line] == []
    assert len(said) == len(plain.phases)
    ends = [torch.cat([value.flatten() for value in one.discriminator.parameters()]) for one in (plain, replayed)]
    assert float((ends[1] - ends[0]).norm()) <= 1e-2 * float((ends[0] - start).norm())
