# SPDX-License-Identifier: Apache-2.0
"""Why a run should stop after the iteration in progress: a signal, or the time limit of a rented machine."""

import os
import signal
import sys
import time
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # SIGHUP: the ssh session to a rented machine is closed
SPARE_SHARE, SPARE_SECONDS = 0.02, 30.0
"""Of a time limit, kept back beside what is measured (the libraries' loading isn't); at most so many seconds."""


class Stop:
    """Catches SIGINT, SIGTERM and SIGHUP while it is entered; `tells` of the first one where that is asked for.

    Before `arm` there is nothing to save and a signal ends the program at once. From then on the first one is kept
    until it is asked for (call the object after each iteration), and only a second one ends at once.
    """

    def __init__(self, *, tells: bool = True) -> None:
        self._tells = tells
        self._began = self._last = time.monotonic()
        self._deadline: float | None = None
        self._armed = False
        self._reason: str | None = None
        self._iteration = 0.0
        self._other = self._beside = 0.0

    def __enter__(self) -> "Stop":
        heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup's stay so
        self._former = {number: signal.signal(number, self._caught) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def limit(self, seconds: float | None, began: float | None = None) -> None:
        """Leave so early before `seconds` from the object's making that two iterations and two saves would fit.

        Args:
            began: where something that starts this process again counts from, in time.time()'s seconds.
        """
        if seconds is not None:
            before = 0.0 if began is None else max(0.0, time.time() - began - (time.monotonic() - self._began))
            self._deadline = self._began - before + seconds - min(SPARE_SHARE * seconds, SPARE_SECONDS)

    def arm(self) -> None:
        """Keep the next signal until it is asked for."""
        self._armed = True
        self._last = time.monotonic()

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if not self._armed or self._reason is not None:
            raise KeyboardInterrupt
        self._reason = signal.Signals(number).name
        if not self._tells:
            return
        # a handler may run amid a print: past Python's streams, which aren't made for that
        told = f"\n{self._reason}: saving after this iteration; once more: stop at once, with the last snapshot\n"
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, told.encode())

    @property
    def reason(self) -> str | None:
        """Why to stop, as far as known; None for going on."""
        return self._reason

    def because(self, reason: str) -> None:
        """Stop with the next iteration for a reason of the caller's."""
        self._reason = self._reason or reason

    def worked(self) -> None:
        """Note that other work (a tick's: measures, sheets, snapshots) lies behind since the last call."""
        now = time.monotonic()
        self._other = max(self._other, now - self._last)
        self._last = now

    def worked_beside(self, seconds: float) -> None:
        """Note how long it took to write what is written beside the training, and at its end."""
        self._beside = max(self._beside, seconds)

    def __call__(self) -> str | None:
        """Note that an iteration lies behind; return why to stop now, or None."""
        now = time.monotonic()
        self._iteration = max(self._iteration, now - self._last)
        self._last = now
        if self._reason is None and self._deadline is not None:
            needed = 2 * (self._iteration + self._other + self._beside)
            if now + needed >= self._deadline:
                self._reason = "--time-limit"
        return self._reason
