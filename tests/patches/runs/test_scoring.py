# SPDX-License-Identifier: Apache-2.0
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from patches.runs import scoring
from patches.runs.scoring import Scoring
from patches.scores import worker
from patches.scores.job import Job
from patches.scores.rows import Score
from patches.scores.sounds import MOST_AT_A_TIME
from tests.patches.generate.support import save_snapshot

LONG = 6000.0  # seconds between snapshots: ten minutes for scores


@pytest.fixture
def beside(archive: Path):
    """A process that scores, with two cheap metrics."""
    made = Scoring(Job(str(archive), ("kad", "defects"), "cpu", most=40))
    yield made
    made.close()


def until_idle(made: Scoring) -> tuple[list[Score], list[str]]:
    rows, lines = [], []
    while made.pending:
        more, told = made.poll(wait=60)
        rows, lines = rows + more, lines + told
    return rows, lines


def test_a_snapshot_comes_back_as_rows_with_the_anchors_before_it_and_once(beside, tmp_path):
    beside.pace(LONG)
    beside.add(save_snapshot(tmp_path / "network-snapshot-000001.safetensors"))
    first, _ = until_idle(beside)
    assert {row.metric for row in first} == {"kad", "defects"}
    assert {"train real", "network-snapshot-000001"} <= {row.system for row in first}
    (kad,) = [row for row in first if row.kind == "network" and row.features == "log-mel 1"]
    assert (kad.count, kad.seeds, kad.kimg) == (40, "0-39", 10)
    beside.add(save_snapshot(tmp_path / "network-snapshot-000002.safetensors", seed=8))
    second, _ = until_idle(beside)
    assert {row.system for row in second} == {"network-snapshot-000002"}


def test_a_newer_snapshot_takes_the_place_of_the_one_that_waits(beside, tmp_path):
    beside.pace(LONG)
    for number in range(4):
        beside.add(save_snapshot(tmp_path / f"network-snapshot-{number:06d}.safetensors"))
    rows, _ = until_idle(beside)
    networks = dict.fromkeys(row.system for row in rows if row.kind == "network")
    assert list(networks) == ["network-snapshot-000000", "network-snapshot-000003"]


def test_before_the_pace_is_known_and_where_it_is_too_fast_no_process_starts(beside, tmp_path):
    beside.add(save_snapshot(tmp_path / "network-snapshot-000001.safetensors"))
    assert beside.pending is None
    beside.pace(scoring.LEAST_SECONDS / scoring.SHARE - 1)
    assert beside.too_short
    assert beside.pending is None
    beside.pace(LONG)
    assert beside.pending is not None


def test_what_can_not_be_scored_is_told_and_the_next_one_is_scored(beside, tmp_path):
    beside.pace(LONG)
    bad = tmp_path / "network-snapshot-000001.safetensors"
    bad.write_bytes(b"nothing")
    beside.add(bad)
    rows, lines = until_idle(beside)
    assert rows == []
    assert "no scores of network-snapshot-000001" in lines[0]
    assert "not a whole .safetensors file" in lines[0]
    beside.add(save_snapshot(tmp_path / "network-snapshot-000002.safetensors"))
    assert until_idle(beside)[0]


def test_where_too_few_sounds_fit_into_the_time_that_is_said(archive, tmp_path, monkeypatch):
    path = save_snapshot(tmp_path / "network-snapshot-000001.safetensors")
    monkeypatch.setattr(worker, "LEAST", MOST_AT_A_TIME + 1)  # a first batch is always made
    bench = worker.Bench(Job(str(archive), ("defects",), "cpu"))
    told = worker.answer(bench, json.dumps({"network": str(path), "seconds": 1e-6}))
    assert told["error"].startswith(f"{MOST_AT_A_TIME} sounds fit into 0 s, a tenth of the time between two snapshots")
    assert "calc_metrics.py afterwards" in told["error"]


def test_anchors_come_with_the_first_snapshot_that_has_scores(archive, tmp_path, monkeypatch):
    path = save_snapshot(tmp_path / "network-snapshot-000001.safetensors")
    bench = worker.Bench(Job(str(archive), ("defects",), "cpu", most=40))
    with monkeypatch.context() as few:
        few.setattr(worker, "LEAST", MOST_AT_A_TIME + 1)
        with pytest.raises(worker.TooFewError):
            bench.score(path, 1e-6)
    assert {row.kind for row in bench.score(path, LONG)} == {"anchor", "network"}
    assert {row.kind for row in bench.score(path, LONG)} == {"network"}


def test_a_network_that_has_diverged_is_told_to_have(archive, tmp_path):
    path = save_snapshot(tmp_path / "network-snapshot-000001.safetensors", broken=True)
    bench = worker.Bench(Job(str(archive), ("kad",), "cpu", most=40))
    told = worker.answer(bench, json.dumps({"network": str(path), "seconds": LONG}))
    assert told["error"].endswith("0 of 40 sounds are finite; scores need 2 or more")


@pytest.mark.parametrize("answer", ['{"rows": [{"metr', "a library's greeting", '{"rows": [{"metric": "kad"}]}', "[]"])
def test_an_answer_that_can_not_be_read_is_told_and_ends_nothing(answer):
    rows, error = scoring.understood(answer)
    assert rows == []
    assert "gave no answer that can be read" in error


def test_what_a_library_prints_is_no_answer():
    program = "from patches.scores import worker; out = worker.only_for_answers(); print('hello'); print(1, file=out)"
    ran = subprocess.run([sys.executable, "-c", program], cwd=scoring.ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"
    assert ran.stderr.endswith("hello\n")


def test_ctrl_c_at_the_terminal_does_not_reach_the_process(beside, tmp_path):
    beside.pace(LONG)
    beside.add(save_snapshot(tmp_path / "network-snapshot-000001.safetensors"))
    assert os.getpgid(beside._process.pid) != os.getpgid(os.getpid())


def test_a_process_that_dies_is_told_and_the_next_snapshot_gets_another(beside, tmp_path):
    beside.pace(LONG)
    beside.add(save_snapshot(tmp_path / "network-snapshot-000001.safetensors"))
    os.kill(beside._process.pid, signal.SIGKILL)
    rows, lines = until_idle(beside)
    assert (rows, lines) == ([], ["  no scores of network-snapshot-000001: the process that scores died"])
    beside.add(save_snapshot(tmp_path / "network-snapshot-000002.safetensors"))
    assert until_idle(beside)[0]


def test_the_process_ends_with_the_one_that_it_belongs_to(beside, tmp_path):
    beside.pace(LONG)
    beside.add(save_snapshot(tmp_path / "network-snapshot-000001.safetensors"))
    process = beside._process
    process.stdin.close()  # as the system does when the training dies
    assert process.wait(timeout=60) == 0


def test_closing_ends_it_at_once_whatever_it_is_doing(beside, tmp_path):
    beside.pace(LONG)
    beside.add(save_snapshot(tmp_path / "network-snapshot-000001.safetensors"))
    process = beside._process
    began = time.monotonic()
    beside.close()
    assert time.monotonic() - began < 5
    assert process.returncode is not None
    assert beside.poll() == ([], [])
