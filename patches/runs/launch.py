# SPDX-License-Identifier: Apache-2.0
"""`--gpus=N`: the same command N times on this machine, each a rank, as torchrun would start them.

What a person does to the one process that he started, all of them hear: signals are handed on, and when it dies they
leave with a state. When one of them dies the others are ended; the error that shows is its own.
"""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType

from patches.runs.interrupt import SIGNALS

LOOK_SECONDS = 0.1
GRACE_SECONDS = 15.0
"""For the other ranks to say what they have to say once one has died."""
LAUNCHED = "SG3_SPECT_LAUNCHED"
LOST = 75
"""Exit code of a rank that ends since another one did: sysexits.h's "try again"."""


def launch(command: Sequence[str], count: int, threads: int, echo: Callable[[str], None]) -> int:
    """Run a command as so many ranks; return the exit code: 0, or that of the first one that failed.

    Args:
        threads: of each rank for computing, where the user hasn't said (OMP_NUM_THREADS).
    """
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        LAUNCHED: "1",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
    }
    ranks: list[subprocess.Popen[bytes]] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        for process in ranks:
            if process.poll() is None:
                process.send_signal(number)

    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    former = {number: signal.signal(number, hand_on) for number in heard}
    try:
        for rank in range(count):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            # in a session of its own: a terminal's Ctrl-C comes once, through here
            ranks.append(
                subprocess.Popen(
                    command, env={**os.environ, **shared, **own}, stdin=subprocess.PIPE, start_new_session=True
                )
            )
        return _watched(ranks, echo)
    finally:
        for process in ranks:
            process.kill()
            process.wait()
        for number, handler in former.items():
            signal.signal(number, handler)


def _watched(ranks: Sequence["subprocess.Popen[bytes]"], echo: Callable[[str], None]) -> int:
    """Wait for the ranks' end; give those that go on when one has failed some seconds."""
    deadline = float("inf")
    while any(process.poll() is None for process in ranks) and time.monotonic() < deadline:
        if deadline == float("inf") and any(process.poll() for process in ranks):
            deadline = time.monotonic() + GRACE_SECONDS
        time.sleep(LOOK_SECONDS)
    failed = {rank: process.poll() for rank, process in enumerate(ranks) if process.poll()}
    if not failed:
        return 0
    # those that lost another one aren't the cause, and those that still run are ended by us
    rank, code = min(failed.items(), key=lambda one: (one[1] == LOST, one[0]))
    assert code is not None
    if code < 0:
        echo(f"rank {rank} was ended by {signal.Signals(-code).name}; --resume=auto goes on from the last state")
        return 128 - code
    return code


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def heed_launcher() -> None:
    """Where a launcher started this process: leave as for SIGTERM when it is gone."""
    if LAUNCHED not in os.environ:
        return

    def watch() -> None:
        os.read(0, 1)  # ends with the launcher, who never writes; Python's own stdin would be locked at exit
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
