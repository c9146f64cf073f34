# SPDX-License-Identifier: Apache-2.0
"""Scoring beside a training: a process of its own that takes snapshots one at a time and answers with rows.

    python -m patches.scores.worker        # run by train.py

It reads lines of JSON: first a `Job` of the whole run, then one `{"network", "seconds"}` a snapshot; it answers each
with one line on stdout, `{"rows": [...]}` or `{"error": ...}`. It takes as many sounds as fit into `seconds`, at most
the job's, and says so where that is too few. When its input ends, as it does when the training ends in whatever way,
so does it. One thread, low priority; Ctrl-C is the training's business.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import Any, TextIO

import torch

from patches.console import one_line
from patches.data import open_data
from patches.generate.network import Network, open_network
from patches.generate.synthesis import settled
from patches.scores.choose import Wanted, evaluation
from patches.scores.evaluation import Evaluation
from patches.scores.job import Job
from patches.scores.probes import LEAST, check_finite
from patches.scores.rows import Score
from patches.scores.sounds import generated

NICE = 10


class Bench:
    """The job's evaluation, made with the first network, whose view all have."""

    def __init__(self, job: Job) -> None:
        self._job, self._device = job, torch.device(job.device)
        self._evaluation: Evaluation | None = None
        self._anchors: list[Score] = []

    def score(self, path: Path, seconds: float) -> list[Score]:
        """Score a snapshot; the anchors' rows come with the first that has any.

        What is measured of the data, once, isn't counted in `seconds`.
        """
        network = open_network(path, self._device)
        if self._evaluation is None:
            prepared = self._prepared(network)
            self._anchors, self._evaluation = prepared.anchors(), prepared
        began = time.monotonic()
        subject = generated(network, range(self._job.most), self._evaluation.data.archive)
        measured = self._evaluation.measured(subject, until=began + seconds)
        if measured.count + measured.broken < LEAST:
            raise TooFewError(measured.count, seconds)
        check_finite(path, measured)
        scores = self._evaluation.scores(measured)
        rows, self._anchors = [*self._anchors, *scores], []
        return rows

    def _prepared(self, network: Network) -> Evaluation:
        wanted = Wanted(metrics=self._job.metrics)
        made = evaluation(open_data(self._job.data), network.view, wanted, self._device)
        made.against  # noqa: B018 (measured now)
        return made


class TooFewError(ValueError):
    """The time is enough for so few sounds that scores would say nothing."""

    def __init__(self, count: int, seconds: float) -> None:
        super().__init__(
            f"{count} sounds fit into {seconds:.0f} s, a tenth of the time between two snapshots; scores need {LEAST}: "
            "take more ticks a snapshot (--snap), or python calc_metrics.py afterwards"
        )


def answer(bench: Bench, line: str) -> dict[str, Any]:
    """Answer one line."""
    asked = json.loads(line)
    try:
        with settled(threads=1):
            return {"rows": [row.to_dict() for row in bench.score(Path(asked["network"]), float(asked["seconds"]))]}
    except Exception as error:
        text = str(error) if isinstance(error, TooFewError) else one_line(error)
        return {"error": text or f"{type(error).__name__}: {error}"}


def lines_until_the_end() -> Iterator[str]:
    """Read stdin's lines; when it ends, the process ends at once, whatever it is doing."""
    waiting: Queue[str] = Queue()

    def read() -> None:
        for line in sys.stdin:
            waiting.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield waiting.get()


def only_for_answers() -> TextIO:
    """Keep stdout for answers: what libraries print goes to stderr from now on."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = only_for_answers()
    with suppress(OSError):
        os.nice(NICE)
    torch.set_num_threads(1)
    lines = lines_until_the_end()
    bench = Bench(Job.read(next(lines)))
    for line in lines:
        print(json.dumps(answer(bench, line)), file=answers, flush=True)


if __name__ == "__main__":
    main()
