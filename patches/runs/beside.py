# SPDX-License-Identifier: Apache-2.0
"""Work beside the training: one job after another in a thread, so that iterations go on while files are written."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")
ROOM = 2
"""Jobs that may be under way or waiting, so that a slow disk doesn't hold up the training at each tick."""


class Beside(Generic[Result]):
    """Runs a job at a time, in the order in which they are brought; results and errors are told in that order, too.

    Args:
        done: told in the caller's thread of each job's result and the seconds that it took.
    """

    def __init__(self, done: Callable[[Result, float], None]) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._done = done
        self._jobs: deque[Future[tuple[Result, float]]] = deque()

    def start(self, job: Callable[[], Result]) -> None:
        """Have a job done after those before it; wait while `ROOM` of them have not come to their end.

        Raises:
            Exception: that of an earlier job.
        """
        self.look()
        while len(self._jobs) >= ROOM:
            self._take()
        self._jobs.append(self._pool.submit(_timed, job))

    def look(self) -> None:
        """Take the results that are there.

        Raises:
            Exception: that of a job.
        """
        while self._jobs and self._jobs[0].done():
            self._take()

    def wait(self) -> None:
        """Wait for the jobs' end and take their results; after an error the next call goes on with those behind it.

        Raises:
            Exception: that of a job.
        """
        while self._jobs:
            self._take()

    def _take(self) -> None:
        self._done(*self._jobs.popleft().result())

    def close(self) -> None:
        """Let all jobs come to their end, whatever becomes of them."""
        self._pool.shutdown(wait=True)


def _timed(job: Callable[[], Result]) -> tuple[Result, float]:
    began = time.monotonic()
    return job(), time.monotonic() - began
