# SPDX-License-Identifier: Apache-2.0
"""An iteration asks the device for nothing: on a GPU it would wait for all that was given to it before."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from stylegan3.training import recorded
from stylegan3.training.recorded import Graphs
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.support import KINDS, everything_on, trained
from tests.stylegan3.training.tape import READING


class Readings(TorchDispatchMode):
    """Notes what reads a tensor's values."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name.split("::")[1] in READING:
            self.found.append(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", KINDS)
def test_an_iteration_reads_nothing_back(kind):
    """Every phase is in it: R1, path length, style mixing, ADA between two moves of p."""
    arrangement = everything_on(kind)
    trainer = trained(arrangement, 16)
    batch = next(trainer.batches())
    with Readings() as readings:
        trainer.step(*batch)
    assert readings.found == []
    with Readings() as readings:
        trainer.check()
    assert readings.found  # once a tick it does


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_cpu_never_waits_within_an_iteration(kind, replayed, monkeypatch):
    monkeypatch.setattr(recorded, "MARGIN", 0.0)
    device = torch.device("cuda")
    trainer = Trainer(everything_on(kind), device, recorder=Graphs(device) if replayed else None)
    stored = trainer.batches()
    for _ in range(9):  # p leaves 0 after the fifth: phases that augment are recorded in the eighth
        trainer.step(*next(stored))
    batches = [tuple(tensor.pin_memory().cuda(non_blocking=True) for tensor in next(stored)) for _ in range(3)]
    torch.cuda.synchronize()
    try:
        with warnings.catch_warnings(action="ignore"):  # torch tells that this is a prototype
            torch.cuda.set_sync_debug_mode("error")
        for pictures, labels in batches:
            trainer.step(pictures, labels)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    idle = torch.cuda.current_stream(device).query
    waits_within(idle)  # the first profile has more to set up
    assert waits_within(lambda: trainer.step(*batches[0])) == waits_within(idle)


def waits_within(call: Callable[[], object]) -> dict[str, int]:
    """Return how often a call waits for the device, and the profiler at its end; not ADA's for an iteration ago."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        call()
    found = {event.key: event.count for event in profiler.key_averages() if "Synchronize" in event.key}
    return {name: count for name, count in found.items() if "Event" not in name}
