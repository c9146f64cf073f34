# SPDX-License-Identifier: Apache-2.0
"""Jobs over threads, results in order, never more than a few ahead: for work that releases Python's lock."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
AHEAD = 2  # jobs a thread that may wait or be done before their turn
BLOCK_BYTES = 1 << 23  # of pictures that travel together


def ahead(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """Yield function(job) for every job, in the order of the jobs."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    remaining, waiting = iter(jobs), deque[Future[Result]]()
    with ThreadPoolExecutor(threads) as pool:
        try:
            waiting.extend(pool.submit(function, job) for job in islice(remaining, AHEAD * threads))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, job) for job in islice(remaining, 1))
        finally:
            for future in waiting:
                future.cancel()


def spans(count: int, item_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut `count` items of one size into (first, how many) of about BLOCK_BYTES."""
    step = max(1, BLOCK_BYTES // item_bytes)
    yield from ((first, min(step, count - first)) for first in range(0, count, step))
