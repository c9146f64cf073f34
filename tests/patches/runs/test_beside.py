# SPDX-License-Identifier: Apache-2.0
"""Files are written beside the training: one job at a time, errors reach the training, results come in its thread."""

import threading

import pytest

from patches.runs.beside import Beside


def test_a_job_runs_in_another_thread_and_its_result_is_told_in_the_callers():
    told: list[tuple[int, bool]] = []
    beside: Beside[int] = Beside(lambda result, seconds: told.append((result, seconds >= 0)))
    go = threading.Event()

    def job() -> int:
        assert go.wait(10)
        return threading.get_ident()

    beside.start(job)
    beside.look()  # still at it: nobody waits
    assert told == []
    go.set()
    beside.wait()
    assert told[0][0] != threading.get_ident()
    assert told[0][1]
    beside.close()


def test_jobs_come_one_after_the_other():
    order: list[str] = []
    beside: Beside[str] = Beside(lambda result, seconds: order.append(f"took {result}"))

    def job(name: str) -> str:
        order.append(f"ran {name}")
        return name

    for name in "ab":
        beside.start(lambda name=name: job(name))
    beside.wait()
    assert order == ["ran a", "took a", "ran b", "took b"]
    beside.close()


@pytest.mark.parametrize("take", [Beside.wait, lambda beside: beside.start(lambda: "next")])
def test_an_error_reaches_the_one_who_waits(take):
    beside: Beside[str] = Beside(lambda result, seconds: None)

    def broken() -> str:
        raise OSError("no space")

    beside.start(broken)
    with pytest.raises(OSError, match="no space"):
        take(beside)
    beside.wait()  # told once
    beside.close()
