# SPDX-License-Identifier: Apache-2.0
"""Why a run should stop after the iteration in progress: a signal, or the time limit of a rented machine."""

import signal
import time
from types import FrameType, TracebackType


class Stop:
    """Catches SIGINT and SIGTERM while it is entered; a second signal ends at once.

    Args:
        time_limit: seconds from now; the run leaves so early that two more iterations and two saves would fit.
    """

    def __init__(self, time_limit: float | None = None) -> None:
        self._deadline = None if time_limit is None else time.monotonic() + time_limit
        self._reason: str | None = None
        self._last = time.monotonic()
        self._longest = 0.0
        self.save_seconds = 1.0

    def __enter__(self) -> "Stop":
        self._former = {number: signal.signal(number, self._caught) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self._reason is not None:
            raise KeyboardInterrupt
        self._reason = signal.Signals(number).name

    def working(self) -> None:
        """Note that other work than an iteration lies behind, so that it doesn't count as one."""
        self._last = time.monotonic()

    def __call__(self) -> str | None:
        """Return why to stop now, or None."""
        now = time.monotonic()
        self._longest = max(self._longest, now - self._last)
        self._last = now
        if self._reason is None and self._deadline is not None:
            needed = 2 * self._longest + 2 * self.save_seconds
            if now + needed >= self._deadline:
                self._reason = "--time-limit"
        return self._reason
