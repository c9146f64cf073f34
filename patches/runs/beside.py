# SPDX-License-Identifier: Apache-2.0
"""Work beside the training: one job after another in a thread, so that iterations go on while files are written."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Result = TypeVar("Result")
ROOM = 2
"""Jobs that may be under way or waiting, so that a slow disk doesn't hold up the training at each tick."""


class Beside:
    """Runs a job at a time, in the order in which they are brought; results and errors are told in that order, too."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._jobs: deque[tuple[Future[Any], Callable[[Any, float], None]]] = deque()

    def start(self, job: Callable[[], Result], done: Callable[[Result, float], None]) -> None:
        """Have a job done after those before it; wait while `ROOM` of them have not come to their end.

        Args:
            done: told in the caller's thread of the job's result and the seconds that it took.

        Raises:
            Exception: that of an earlier job.
        """
        self.look()
        while len(self._jobs) >= ROOM:
            self._take()
        self._jobs.append((self._pool.submit(_timed, job), done))

    def look(self) -> bool:
        """Take the results that are there; return whether there was one.

        Raises:
            Exception: that of a job.
        """
        before = len(self._jobs)
        while self._jobs and self._jobs[0][0].done():
            self._take()
        return len(self._jobs) < before

    def wait(self) -> None:
        """Wait for the jobs' end and take their results; after an error the next call goes on with those behind it.

        Raises:
            Exception: that of a job.
        """
        while self._jobs:
            self._take()

    def drop(self) -> None:
        """Forget the jobs that haven't begun."""
        self._jobs = deque((job, done) for job, done in self._jobs if not job.cancel())

    def _take(self) -> None:
        wait([self._jobs[0][0]])  # whoever is interrupted here finds the job again
        job, done = self._jobs.popleft()
        done(*job.result())

    def close(self) -> None:
        """Let all jobs come to their end, whatever becomes of them."""
        self._pool.shutdown(wait=True)


def _timed(job: Callable[[], Result]) -> tuple[Result, float]:
    began = time.monotonic()
    return job(), time.monotonic() - began
