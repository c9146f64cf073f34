# SPDX-License-Identifier: Apache-2.0
"""Ranks stop with the same iteration, whichever of them heard the signal or saw the time run out.

Each iteration the ranks begin to ask each other and read the answer after the next one, so that nobody waits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from stylegan3.training.ranks import Ranks, Wait, share_json

Asked = Callable[[], str | None]


@contextmanager
def agreed(stop: Asked, ranks: Ranks) -> Iterator[Asked]:
    """Give what says the same on all ranks; `stop` itself where there is one."""
    if ranks.count == 1:
        yield stop
        return
    together = AgreedStop(stop, ranks)
    yield together
    together.close()


class AgreedStop:
    """Why all ranks stop, one iteration after the first of them has a reason."""

    def __init__(self, stop: Asked, ranks: Ranks) -> None:
        self._stop, self._ranks = stop, ranks
        self._reason: str | None = None
        self._asked: tuple[Tensor, Wait] | None = None

    def __call__(self) -> str | None:
        """Take the answer to what was asked an iteration ago, and ask anew where nobody had a reason."""
        found = self._answer()
        if found is None:
            self._reason = self._stop()
            first = torch.tensor(self._ranks.count if self._reason is None else self._ranks.rank)
            self._asked = (first, self._ranks.start_min(first))
        return found

    def _answer(self) -> str | None:
        if self._asked is None:
            return None
        first, wait = self._asked
        wait()
        self._asked = None
        if int(first) == self._ranks.count:
            return None
        told: str = share_json(self._ranks, self._reason, source=int(first))
        return told

    def close(self) -> None:
        """Wait for what was asked last, at the end of a run."""
        if self._asked is not None:
            self._asked[1]()
            self._asked = None
