# SPDX-License-Identifier: Apache-2.0
"""Threads begin each task once, and take what a slow one leaves (tasks.h)."""

import ctypes
import platform
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from stylegan3.ops.native.build import HERE, built, digest, loaded
from tests.stylegan3.native.blocks import HAS_COMPILER

SOURCE = Path(__file__).with_name("tasks.cpp")
FLAGS = ("-std=c++17", "-O1", "-fPIC", "-fopenmp", "-shared", f"-I{HERE}")

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="needs g++")


@cache
def library() -> ctypes.CDLL:
    key = digest([SOURCE, HERE / "tasks.h"], *FLAGS, platform.machine())
    return loaded(built("tasks", key, [["g++", *FLAGS, str(SOURCE), "-o", "library.so"]]))


def run(count: int, shares: int, threads: int, slow_ms: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each task was begun, and the thread that did it last."""
    begun, by = np.zeros(count, np.int64), np.full(count, -1, np.int32)
    sizes = ctypes.c_int64(count), ctypes.c_int64(shares)
    library().run(*sizes, threads, slow_ms, ctypes.c_void_p(begun.ctypes.data), ctypes.c_void_p(by.ctypes.data))
    return begun, by


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
@pytest.mark.parametrize(("shares", "threads"), [(1, 1), (2, 2), (5, 5), (5, 2), (3, 1)])  # fewer came than were asked
def test_each_task_is_begun_once(count: int, shares: int, threads: int) -> None:
    begun, _ = run(count, shares, threads)
    assert (begun == 1).all()


def test_a_slow_threads_share_is_taken_by_the_other() -> None:
    begun, by = run(40, 2, 2, slow_ms=50)  # of twenty each, the slow one would need a second
    assert (begun == 1).all()
    assert (by == 1).sum() > 30
