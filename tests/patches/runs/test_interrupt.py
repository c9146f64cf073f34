# SPDX-License-Identifier: Apache-2.0
"""Signals are kept until they are asked for once there is something to save; time limits leave room to save."""

import os
import signal

import pytest

from patches.runs import interrupt
from patches.runs.interrupt import Stop


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(interrupt.time, "monotonic", made.monotonic)
    return made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_armed_stop_keeps_the_first_signal_and_ends_with_the_second(number, capfd):
    with Stop() as stop:
        stop.arm()
        os.kill(os.getpid(), number)
        assert stop() == number.name
        assert f"{number.name}: saving after this iteration; once more: stop at once" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_before_there_is_anything_to_save_a_signal_ends_at_once():
    with Stop(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)


def test_handlers_are_given_back():
    before = [signal.getsignal(number) for number in interrupt.SIGNALS]
    with Stop():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in interrupt.SIGNALS] == before


def test_a_signal_that_was_ignored_stays_so():
    """nohup ignores SIGHUP, so that a run outlives its terminal."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop() as stop:
            stop.arm()
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop() is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def iterate(stop: Stop, clock: Clock, seconds: float) -> str | None:
    clock.now += seconds
    return stop()


def test_a_run_leaves_while_two_iterations_and_two_saves_would_still_fit(clock):
    with Stop() as stop:
        stop.limit(1000)  # 20 s of it are kept back
        stop.arm()
        clock.now += 30
        stop.worked()  # a tick's work took 30 s
        while not iterate(stop, clock, 10):
            pass
        left = 1000 - (clock.now - Clock.now)
    assert 20 + 2 * (10 + 30) >= left >= 20 + 2 * (10 + 30) - 10


def test_the_longest_iteration_counts_and_ticks_do_not_count_as_iterations(clock):
    with Stop() as stop:
        stop.limit(1000)
        stop.arm()
        assert iterate(stop, clock, 100) is None
        clock.now += 50
        stop.worked()
        for _ in range(6):
            assert iterate(stop, clock, 85) is None
        assert iterate(stop, clock, 85) == "--time-limit"  # 745 + 2 * (100 + 50) > 980


def test_a_limit_shorter_than_an_iteration_still_lets_one_be_done(clock):
    with Stop() as stop:
        stop.limit(5)
        stop.arm()
        assert iterate(stop, clock, 10) == "--time-limit"


def test_without_a_limit_nothing_stops_it(clock):
    with Stop() as stop:
        stop.limit(None)
        stop.arm()
        assert iterate(stop, clock, 1e9) is None


def test_a_limit_counts_from_where_what_started_the_process_again_counts(clock, monkeypatch):
    monkeypatch.setattr(interrupt.time, "time", lambda: clock.now + 1e9)
    with Stop() as stop:
        stop.limit(1000, began=clock.now + 1e9 - 500)  # a rank died after 500 s
        stop.arm()
        assert iterate(stop, clock, 10) is None
        assert iterate(stop, clock, 460) == "--time-limit"
    with Stop() as stop:
        clock.now += 7  # what was read meanwhile
        stop.limit(1000, began=clock.now + 1e9 - 3)  # later than the process: its own beginning counts
        stop.arm()
        iterations = 1
        while not iterate(stop, clock, 10):
            iterations += 1
        assert iterations == 96  # 7 + 10 n + 2 * 10 >= 980
