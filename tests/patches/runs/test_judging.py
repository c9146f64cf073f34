# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from patches.runs import scoring
from patches.runs.judging import Judging
from patches.runs.reporter import Log, Reporter
from patches.runs.scoring import Scoring
from patches.scores.files import append_rows, read_rows
from patches.scores.job import Job
from patches.scores.select import Chosen
from tests.patches.runs.support import TINY, call, only_run
from tests.patches.scores.rows import anchor, network


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def judging(tmp_path: Path, lines: list[str]):
    """Scores that come from nowhere but what a test hands in."""
    with Reporter(tmp_path, 0) as reporter:
        log = Log(tmp_path / "log.txt", lines.append)
        yield Judging(tmp_path, Scoring(Job("none", ("kad",), "cpu")), Chosen("kad"), 20.0, reporter, log)
        log.close()


def test_rows_go_to_their_file_to_tensorboard_and_to_a_line_with_an_anchor(judging, lines, tmp_path):
    judging._take([anchor(), network(10, 3.0, seconds=12.0)], [])
    assert [row.system for row in read_rows(tmp_path)] == ["train real", "network-snapshot-000010"]
    assert lines == [
        "  network-snapshot-000010: kad 3 (2.9 to 3.1) by log-mel 1 (100 sounds, 12 s; train real: 0.5 (0.4 to 0.6))"
    ]
    events = EventAccumulator(str(tmp_path)).Reload()
    (event,) = events.Scalars("Scores/kad log-mel 1")
    assert (event.step, event.value) == (10_000, 3.0)


def test_anchors_that_are_there_already_are_not_written_again(judging, tmp_path):
    judging._take([anchor(), network(10, 3.0)], [])
    judging._take([anchor(), network(20, 2.0)], [])
    assert [row.kind for row in read_rows(tmp_path)] == ["anchor", "network", "network"]


def test_a_run_ends_when_its_patience_does(judging):
    judging._take([network(10, 3.0)], [])
    assert judging.tick(1.0)[1] is None
    judging._take([network(20, 4.0)], [])
    assert judging.tick(1.0)[1] is None
    judging._take([network(30, 4.0)], [])
    assert judging.tick(1.0)[1] == "--patience=20: no snapshot was better than network-snapshot-000010 for so many kimg"
    assert "Best by kad log-mel 1: network-snapshot-000010" in judging.best_lines()[0]


def test_a_run_out_of_patience_that_goes_on_stops_again_and_says_how_it_wouldn_t(archive, tmp_path):
    call(data=archive, outdir=tmp_path, metrics="none", kimg=0.016, tick=0.008, snap=1)
    run = only_run(tmp_path)
    append_rows(run, [network(0.0, 1.0), network(0.016, 2.0)])
    out = call(f"--resume={run}", "--metrics=kad", "--patience=0.01", "--kimg=1", **dict.fromkeys(TINY))
    assert "Stopped by --patience=0.01: no snapshot was better than network-snapshot-000000 for so many kimg" in out
    assert out.endswith(f"to go on: python train.py --resume={run} --patience=0.02\n")


def test_the_newest_scores_are_handed_on_for_the_statistics(judging):
    assert judging.tick(1.0)[0] == {}
    judging._take([anchor(), network(10, 3.0), network(20, 4.0)], [])
    assert judging.tick(1.0)[0] == {"kimg": 20, "kad.kad log-mel 1": 4.0}


def test_snapshots_that_come_too_fast_are_told_of_once(judging, lines):
    judging.tick(5.0)
    judging.tick(5.0)
    assert len(lines) == 1
    assert "its snapshots are 5 s apart" in lines[0]
    assert "python calc_metrics.py --network=" in lines[0]


def test_a_training_scores_its_snapshots_and_names_the_best(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "SHARE", 1e4)
    out = call(data=archive, outdir=tmp_path, metrics="kad,defects", kimg=0.016, tick=0.008, snap=1)
    rows = read_rows(only_run(tmp_path))
    assert {row.metric for row in rows} == {"kad", "defects"}
    assert "network-snapshot-000000.016" in {row.system for row in rows}
    assert "Best by kad log-mel 1: network-snapshot-000000" in out
