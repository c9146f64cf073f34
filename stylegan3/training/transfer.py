# SPDX-License-Identifier: Apache-2.0
"""Between CPU and device without waiting: pinned memory one way, a copy that is asked for later the other way."""

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


def onto(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on a device; the CPU doesn't wait for the copy."""
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    return (tensor if tensor.is_pinned() else tensor.pin_memory()).to(device, non_blocking=True)


class Reading:
    """Values on their way from the device to the CPU; to be read later, when they have long arrived."""

    def __init__(self, values: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        if values.is_cuda:
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._values = values.clone()

    def get(self) -> Tensor:
        """Return the values on the CPU."""
        if self._event is not None:
            self._event.synchronize()
        return self._values


class Aside:
    """Makes jobs for another thread, which does one at a time, beside what a device is given meanwhile.

    On a GPU they have one stream of their own: memory that was freed in it serves the next job.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, job: Callable[[], Result]) -> Callable[[], Result]:
        """Return a job that begins when what was given to the device so far is done; what it reads must not change."""
        if self._stream is None:
            return job
        stream, ready = self._stream, torch.cuda.Event()
        ready.record(torch.cuda.current_stream(stream.device))

        def apart() -> Result:
            with torch.cuda.device(stream.device), torch.cuda.stream(stream):
                stream.wait_event(ready)
                return job()

        return apart


Batch = tuple[Tensor, Tensor]


def ahead(batches: Iterator[Batch], device: torch.device) -> Generator[Batch, None, None]:
    """Yield batches on the device, each copied while the one before it is computed on."""
    if device.type != "cuda":
        yield from batches
        return
    side = torch.cuda.Stream(device)
    coming = _copied(next(batches), device, side)
    while True:
        torch.cuda.current_stream(device).wait_stream(side)
        here, coming = coming, _copied(next(batches), device, side)
        for tensor in here:
            tensor.record_stream(torch.cuda.current_stream(device))
        yield here


def _copied(batch: Batch, device: torch.device, stream: "torch.cuda.Stream") -> Batch:
    with torch.cuda.stream(stream):
        return onto(batch[0], device), onto(batch[1], device)
