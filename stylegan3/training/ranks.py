# SPDX-License-Identifier: Apache-2.0
"""The processes that train one network together, as the trainer sees them: one alone, or a group's ranks.

Every rank holds the whole network and a share of each batch; what is summed over ranks is summed in the same order on
all of them, so that they go on with equal bits.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor

MEETING = timedelta(days=30)
"""How long ranks wait where one may have work for hours: until another is gone, that is."""
Wait = Callable[[], None]
"""Returns when a sum that was started stands in its tensor."""


class LostRankError(RuntimeError):
    """Another rank can't be reached any more."""


class Ranks(Protocol):
    """What a trainer asks of the processes beside it."""

    @property
    def rank(self) -> int:
        """This process's number, from 0."""

    @property
    def count(self) -> int:
        """How many there are."""

    def start_sum(self, values: Tensor) -> Wait:
        """Begin to replace `values`, contiguous, by its sum over all ranks; every rank starts the same in one order."""

    def start_min(self, values: Tensor) -> Wait:
        """Begin to replace `values` by its least over all ranks."""

    def broadcast(self, values: Tensor, source: int) -> None:
        """Replace `values` by those of rank `source`."""

    def meet(self) -> None:
        """Return when all ranks are here, however long the work of one of them takes."""


class Alone:
    """A process that trains by itself."""

    rank, count = 0, 1

    def start_sum(self, values: Tensor) -> Wait:
        """Leave what is the sum already."""
        return _nothing

    def start_min(self, values: Tensor) -> Wait:
        """Leave what is the least already."""
        return _nothing

    def broadcast(self, values: Tensor, source: int) -> None:
        """Leave what is one's own already."""

    def meet(self) -> None:
        """Wait for nobody."""


class Group:
    """The ranks of torch.distributed's default group, which stands already; all of them make theirs together."""

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()
        self._meeting = dist.new_group(backend="gloo", timeout=MEETING)

    def start_sum(self, values: Tensor) -> Wait:
        """Begin to replace `values` by its sum over all ranks."""
        return self._start(values, dist.ReduceOp.SUM)

    def start_min(self, values: Tensor) -> Wait:
        """Begin to replace `values` by its least over all ranks."""
        return self._start(values, dist.ReduceOp.MIN)

    def broadcast(self, values: Tensor, source: int) -> None:
        """Replace `values` by those of rank `source`."""
        with _reaching():
            dist.broadcast(values, source)

    def meet(self) -> None:
        """Return when all ranks are here."""
        with _reaching():
            dist.all_reduce(torch.zeros(1), group=self._meeting)

    def _start(self, values: Tensor, operation: dist.ReduceOp.RedOpType) -> Wait:
        with _reaching():
            work = dist.all_reduce(values, operation, async_op=True)

        def wait() -> None:
            with _reaching():
                work.wait()

        return wait


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise LostRankError(" ".join(str(error).split())[:500] or type(error).__name__) from error


def _nothing() -> None:
    pass


def sum_together(ranks: Ranks, tensors: list[Tensor]) -> list[Tensor]:
    """Return each tensor's sum over all ranks, in one exchange in float64, of its own type and shape."""
    if ranks.count == 1 or not tensors:
        return tensors
    flat = torch.cat([tensor.detach().to(torch.float64).flatten() for tensor in tensors])
    ranks.start_sum(flat)()
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor).to(tensor.dtype) for part, tensor in zip(parts, tensors, strict=True)]


def share_json(ranks: Ranks, value: Any, source: int = 0) -> Any:
    """Return on all ranks the JSON value that rank `source` holds."""
    if ranks.count == 1:
        return value
    text = json.dumps(value).encode() if ranks.rank == source else b""
    length = torch.tensor(len(text))
    ranks.broadcast(length, source)
    buffer = torch.zeros(int(length), dtype=torch.uint8)
    if ranks.rank == source:
        buffer.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
    ranks.broadcast(buffer, source)
    return json.loads(bytes(buffer.tolist()))


def share_tensors(ranks: Ranks, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return on all ranks, on the CPU, the named tensors that rank 0 holds."""
    if ranks.count == 1:
        return tensors
    kinds = {name: (str(t.dtype).removeprefix("torch."), list(t.shape)) for name, t in tensors.items()}
    shared = {}
    for name, (dtype, shape) in share_json(ranks, kinds).items():
        own = tensors[name].detach().cpu().contiguous() if ranks.rank == 0 else None
        shared[name] = torch.empty(shape, dtype=getattr(torch, dtype)) if own is None else own
        ranks.broadcast(shared[name], 0)
    return shared
