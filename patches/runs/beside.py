# SPDX-License-Identifier: Apache-2.0
"""Work beside the training: one job after another in a thread, so that iterations go on while files are written."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Beside(Generic[Result]):
    """Runs a job at a time; whoever brings the next one waits for the last, and gets its error.

    Args:
        done: told in the caller's thread of each job's result and the seconds that it took.
    """

    def __init__(self, done: Callable[[Result, float], None]) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._done = done
        self._job: Future[tuple[Result, float]] | None = None

    def start(self, job: Callable[[], Result]) -> None:
        """Begin a job after the last one's end.

        Raises:
            Exception: that of the last job.
        """
        self.wait()
        self._job = self._pool.submit(_timed, job)

    def look(self) -> None:
        """Take the job's result if it has ended.

        Raises:
            Exception: that of the job.
        """
        if self._job is not None and self._job.done():
            self.wait()

    def wait(self) -> None:
        """Wait for the job's end and take its result.

        Raises:
            Exception: that of the job.
        """
        if self._job is not None:
            job, self._job = self._job, None
            self._done(*job.result())

    def close(self) -> None:
        """Let the job come to its end, whatever becomes of it."""
        self._pool.shutdown(wait=True)


def _timed(job: Callable[[], Result]) -> tuple[Result, float]:
    began = time.monotonic()
    return job(), time.monotonic() - began
