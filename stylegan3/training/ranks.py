# SPDX-License-Identifier: Apache-2.0
"""The processes that train one network together, as the trainer sees them: one alone, or a group's ranks.

Every rank holds the whole network and a share of each batch; what is summed over ranks is summed in the same order on
all of them, so that they go on with equal bits.
"""

from collections.abc import Callable
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor

Wait = Callable[[], None]
"""Returns when a sum that was started stands in its tensor."""


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


class Group:
    """The ranks of torch.distributed's default group, which stands already."""

    def __init__(self) -> None:
        self.rank, self.count = dist.get_rank(), dist.get_world_size()

    def start_sum(self, values: Tensor) -> Wait:
        """Begin to replace `values` by its sum over all ranks."""
        return self._start(values, dist.ReduceOp.SUM)

    def start_min(self, values: Tensor) -> Wait:
        """Begin to replace `values` by its least over all ranks."""
        return self._start(values, dist.ReduceOp.MIN)

    def broadcast(self, values: Tensor, source: int) -> None:
        """Replace `values` by those of rank `source`."""
        dist.broadcast(values, source)

    def _start(self, values: Tensor, operation: dist.ReduceOp.RedOpType) -> Wait:
        work = dist.all_reduce(values, operation, async_op=True)
        return work.wait


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
