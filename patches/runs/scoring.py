# SPDX-License-Identifier: Apache-2.0
"""Scores beside a training: snapshots go to a process of their own, rows come back whenever they are ready.

One snapshot is scored at a time and one may wait; a newer one takes the waiting one's place. The training never waits,
but for the last snapshot's rows when it has reached its end (patches/runs/judging.py).
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue

from patches.scores.job import Job
from patches.scores.rows import Score

SHARE = 0.1  # of the time between two snapshots
LEAST_SECONDS = 3.0  # less isn't worth a process
LOOK_SECONDS = 0.5  # between two looks whether to wait no longer
ROOT = Path(__file__).resolve().parents[2]


class Scoring:
    """The process that scores, seen from the training; it starts with the first snapshot that there is time for."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._seconds: float | None = None
        self._waiting: Path | None = None
        self._busy: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        self._answers: Queue[tuple[subprocess.Popen[str], str | None]] = Queue()

    def pace(self, seconds: float) -> None:
        """Learn how long it is from one snapshot to the next; before that nothing is scored."""
        self._seconds = SHARE * seconds
        self._begin()

    @property
    def too_short(self) -> bool:
        """Whether snapshots follow each other so fast that none is scored."""
        return self._seconds is not None and self._seconds < LEAST_SECONDS

    @property
    def pending(self) -> Path | None:
        """The snapshot that is being scored."""
        return self._busy

    def add(self, snapshot: Path) -> None:
        """Have a snapshot scored as soon as its turn comes."""
        self._waiting = snapshot
        self._begin()

    def poll(self, wait: float = 0.0) -> tuple[list[Score], list[str]]:
        """Take what is ready: rows, and lines that say why there are none.

        Args:
            wait: seconds to wait for something.
        """
        rows: list[Score] = []
        told: list[str] = []
        while True:
            try:
                process, answer = self._answers.get(timeout=wait) if wait else self._answers.get_nowait()
            except Empty:
                return rows, told
            wait = 0.0
            if process is self._process:
                self._take(answer, rows, told)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        self._busy = self._waiting = None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe is not None:
                        pipe.close()

    def _take(self, answer: str | None, rows: list[Score], told: list[str]) -> None:
        scored, self._busy = self._busy, None
        found, error = understood(answer)
        if answer is None:
            self.close()
        rows += found
        if error and scored is not None:
            told.append(f"  no scores of {scored.stem}: {error}")
        self._begin()

    def _begin(self) -> None:
        if self._busy is not None or self._waiting is None or self._seconds is None or self.too_short:
            return
        self._process = process = self._process or self._started()
        self._busy, self._waiting = self._waiting, None
        self._write(process, json.dumps({"network": str(self._busy.resolve()), "seconds": self._seconds}) + "\n")

    def _write(self, process: "subprocess.Popen[str]", line: str) -> None:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it died: its listener says so
            process.stdin.write(line)
            process.stdin.flush()

    def _started(self) -> "subprocess.Popen[str]":
        command: Sequence[str] = (sys.executable, "-m", "patches.scores.worker")
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is the training's, while the process's libraries load too
        )
        self._write(process, self._job.line())
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with suppress(ValueError, OSError):  # closed under it
            for line in process.stdout:
                self._answers.put((process, line))
        self._answers.put((process, None))


def understood(answer: str | None) -> tuple[list[Score], str]:
    """Read a line of the process that scores: rows, or why there are none. None: it died.

    Whatever it says, also half a line or another version's, the training goes on.
    """
    if answer is None:
        return [], "the process that scores died"
    try:
        values = json.loads(answer)
        return [Score.from_dict(row) for row in values.get("rows", ())], str(values.get("error", ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [], f"the process that scores gave no answer that can be read ({type(error).__name__})"
