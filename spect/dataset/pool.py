# SPDX-License-Identifier: Apache-2.0
"""Jobs over processes, results in order, never more than a few ahead; any concurrent.futures executor will do."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from multiprocessing import forkserver
from multiprocessing.connection import wait
from typing import Any, TypeVar

import torch

from spect.errors import SoundError

Job = TypeVar("Job")
Result = TypeVar("Result")
AHEAD = 4  # batches a worker that may wait or be done before their turn
BATCH_BYTES = 1 << 25


def cores() -> int:
    """Tell how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    executor: Executor | None,
    workers: int,
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    batch: int = 1,
) -> Iterator[Result]:
    """Yield function(job) for every job, in the order of the jobs.

    Args:
        executor: where jobs run; None: here, one after the other.
        workers: how many of them run at once, which bounds what is in flight.
        batch: how many jobs travel together.
    """
    if executor is None:
        yield from map(function, jobs)
        return
    waiting: deque[Future[list[Result]]] = deque()
    remaining = iter(jobs)
    try:
        while group := list(islice(remaining, batch)):
            with _signals_held():
                waiting.append(executor.submit(_each, function, group))
            if len(waiting) >= AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenExecutor:
        raise SoundError(
            "a worker process died, most likely for want of memory; use fewer --workers (with --resume, it goes on)"
        ) from None


def _each(function: Callable[[Job], Result], group: list[Job]) -> list[Result]:
    if torch.get_num_threads() != 1:  # a thread of a cluster's worker; ours begin so
        torch.set_num_threads(1)
    return [function(job) for job in group]


def batch_size(jobs: int, workers: int, bytes_a_job: int = 0) -> int:
    """Choose how many jobs travel together: enough to make their way worth it, few enough to share them out."""
    most = min(64, BATCH_BYTES // max(1, bytes_a_job))
    return max(1, min(most, jobs // (8 * workers)))


@contextmanager
def processes(workers: int) -> Iterator[Executor | None]:
    """Start worker processes; none for one worker.

    On an error or Ctrl-C they end with the batch they are at; with this process, however it dies, at once.
    """
    if workers <= 1:
        with _one_thread():
            yield None
        return
    executor = ProcessPoolExecutor(workers, mp_context=_context(), initializer=_start)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _context() -> multiprocessing.context.BaseContext:
    """Fork from a clean process that has the libraries loaded: quick, and safe beside threads."""
    if not hasattr(os, "fork"):
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spect.dataset.work", "spect.dataset.scan"])
    with _handled_by(
        signal.SIG_IGN, signal.SIGINT
    ):  # which the new process inherits; one that interrupts its imports would be a traceback
        forkserver.ensure_running()
    return context


@contextmanager
def _signals_held() -> Iterator[None]:
    """Put signals off: interrupted while it starts, a worker would come up in a world that is gone."""
    caught: list[int] = []
    with _handled_by(lambda number, frame: caught.append(number), signal.SIGINT, signal.SIGTERM):
        yield
    for number in caught[:1]:
        signal.raise_signal(number)


@contextmanager
def _handled_by(handler: Any, *numbers: signal.Signals) -> Iterator[None]:
    """Handle signals another way for a while; in other threads than the main one Python doesn't allow it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, signal.SIG_DFL if former is None else former)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _start() -> None:
    """Prepare a worker: one thread, deaf to Ctrl-C (its parent decides), never outliving its parent."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
