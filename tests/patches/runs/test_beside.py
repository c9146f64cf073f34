# SPDX-License-Identifier: Apache-2.0
"""Files are written beside the training: in order, errors reach the training, results come in its thread."""

import threading
import time

import pytest

from patches.runs.beside import ROOM, Beside


def test_a_job_runs_in_another_thread_and_its_result_is_told_in_the_callers():
    told: list[tuple[int, bool]] = []
    beside = Beside()
    go = threading.Event()

    def job() -> int:
        assert go.wait(10)
        return threading.get_ident()

    beside.start(job, lambda result, seconds: told.append((result, seconds >= 0)))
    assert not beside.look()  # still at it: nobody waits
    assert told == []
    go.set()
    beside.wait()
    assert told[0][0] != threading.get_ident()
    assert told[0][1]
    beside.close()


def test_jobs_come_one_after_the_other_and_few_wait():
    begun: list[int] = []
    told: list[int] = []
    beside = Beside()
    go = [threading.Event() for _ in range(ROOM + 1)]

    def tell(result: int, seconds: float) -> None:
        told.append(result)

    def job(number: int) -> int:
        begun.append(number)
        assert go[number].wait(10)
        return number

    for number in range(ROOM):
        beside.start(lambda number=number: job(number), tell)  # nobody waits: there is room
    assert begun in ([], [0])
    assert told == []
    threading.Timer(0.1, go[0].set).start()
    beside.start(lambda: job(ROOM), tell)  # there is none
    assert told == [0]
    assert ROOM not in begun
    for event in go:
        event.set()
    beside.wait()
    assert told == begun == list(range(ROOM + 1))
    beside.close()


def ignore(result: object, seconds: float) -> None:
    pass


def look_until_told(beside: Beside) -> None:
    for _ in range(1000):
        beside.look()
        time.sleep(0.01)


def start_until_told(beside: Beside) -> None:
    for _ in range(ROOM + 1):
        beside.start(lambda: "more", ignore)


@pytest.mark.parametrize("take", [Beside.wait, look_until_told, start_until_told])
def test_an_error_reaches_the_one_who_asks_once_and_what_lies_behind_it_is_done(take):
    told: list[str] = []
    beside = Beside()
    go = threading.Event()

    def broken() -> str:
        assert go.wait(10)
        raise OSError("no space")

    beside.start(broken, ignore)
    beside.start(lambda: "behind it", lambda result, seconds: told.append(result))
    go.set()
    with pytest.raises(OSError, match="no space"):
        take(beside)
    beside.wait()
    assert told == ["behind it"]
    beside.close()


def test_whoever_is_interrupted_while_waiting_finds_the_job_again(monkeypatch):
    told: list[str] = []
    beside = Beside()
    go = threading.Event()

    def job() -> str:
        assert go.wait(10)
        return "written"

    def interrupted(jobs: object) -> None:
        raise KeyboardInterrupt

    beside.start(job, lambda result, seconds: told.append(result))
    with monkeypatch.context() as patched:
        patched.setattr("patches.runs.beside.wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            beside.wait()
    go.set()
    beside.wait()
    assert told == ["written"]
    beside.close()


def test_what_has_not_begun_is_dropped():
    begun, told = threading.Event(), list[str]()
    beside = Beside()
    go = threading.Event()

    def job() -> str:
        begun.set()
        assert go.wait(10)
        return "begun"

    beside.start(job, lambda result, seconds: told.append(result))
    beside.start(lambda: "not begun", lambda result, seconds: told.append(result))
    assert begun.wait(10)
    beside.drop()
    go.set()
    beside.wait()
    assert told == ["begun"]
    beside.close()
