# SPDX-License-Identifier: Apache-2.0
import math
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
from click.testing import CliRunner

import calc_metrics
from examples.synth import write_notes
from patches.generate.network import open_network
from patches.scores import command
from patches.scores.files import read_rows
from patches.scores.names import NAMES
from tests.browser import opened
from tests.patches.generate.support import save_snapshot
from tests.patches.runs.support import build, only_run
from tests.patches.runs.support import call as train

ROOT = Path(__file__).parents[2]
FEW = ("--seeds=0-39", "--device=cpu")


def call(*arguments: object, code: int = 0) -> str:
    """Run the script; return what it printed, or its one line of complaint."""
    result = CliRunner().invoke(calc_metrics.main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    if code == 0:
        return result.stdout
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("calc_metrics.py: ")
    assert "Traceback" not in result.output
    return result.stderr


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    write_notes(folder / "notes", 90, 0.06, 8000, 0)
    return build(folder / "notes", folder / "notes.zip", holdout=0.3)


@pytest.fixture(scope="module")
def run(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two iterations that learned classes, with three snapshots."""
    folder = tmp_path_factory.mktemp("runs")
    train(data=sounds, outdir=folder, cond=1, metrics="none", kimg=0.016, tick=0.008, snap=1)
    return only_run(folder)


def test_the_newest_snapshot_is_scored_against_what_its_run_learned_from(run, tmp_path):
    out = call("--network", run, *FEW, "--outdir", tmp_path / "scores")
    assert "network-snapshot-000000.016: 40 sounds" in out
    rows = read_rows(tmp_path / "scores")
    assert {row.metric for row in rows} == {"kad", "defects", "novelty"}
    assert {row.features for row in rows if row.metric == "kad"} == {
        f"{name} {version}" for name, version in (("log-mel", 1), ("modulation", 1), ("waveform", 1), ("stereo", 1))
    }
    for row in rows:
        assert row.count > 0
        assert (row.seeds == "0-39") == (row.kind == "network")
    assert next(row.kimg for row in rows if row.kind == "network") == 0.016


def test_of_all_snapshots_the_best_is_named_with_what_it_is_sure_of(run):
    out = call("--network", run / "network-snapshot-*.safetensors", *FEW, "--metrics=kad", "--select=kad:waveform")
    assert "Best by kad waveform 1: network-snapshot-000000" in out
    assert ("really better than all others (2)" in out) or ("may be chance" in out)


def test_every_metric_runs_on_a_conditional_network(run, tmp_path):
    out = call("--network", run, "--seeds=0-49", "--metrics=all", "--outdir", tmp_path, "--encoder=log-mel")
    rows = read_rows(tmp_path)
    assert {row.metric for row in rows} == set(NAMES)
    network = {(row.metric, row.features.split(" ")[0]): row for row in rows if row.kind == "network"}
    assert {"inception_score", "accuracy", "classifier_accuracy"} <= set(network["classes", "spectrogram"].values)
    assert {"inception_score", "accuracy"} <= set(network["classes", "waveform"].values)
    assert math.isfinite(network["pictures", ""].values["rmse"].value)
    assert "no label set holds pitches" in out


def test_a_report_opens_in_a_browser_and_plays(run, tmp_path):
    path = tmp_path / "new" / "report.html"
    call("--network", run / "network-snapshot-*.safetensors", *FEW, "--report", path)
    with opened(path) as page:
        assert "network-snapshot-000000" in page.content()
        assert page.locator("button").count() > 24  # three snapshots, eight seeds


@pytest.mark.parametrize("metric", ["defects", "novelty", "pitch"])
def test_any_metric_alone_makes_a_report_and_names_a_best_snapshot(run, tmp_path, metric):
    path = tmp_path / "report.html"
    out = call("--network", run / "network-snapshot-*.safetensors", *FEW, f"--metrics={metric}", "--report", path)
    assert f"Best by {metric}" in out
    assert path.exists()


def test_a_snapshot_that_diverged_is_left_out_and_told_and_alone_refused(run, sounds, tmp_path):
    good = save_snapshot(tmp_path / "network-snapshot-000001.safetensors")
    bad = save_snapshot(tmp_path / "network-snapshot-000002.safetensors", broken=True)
    told = "network-snapshot-000002.safetensors: 0 of 40 sounds are finite; scores need 2 or more"
    out = call("--network", good, bad, "--data", sounds, *FEW, "--metrics=kad")
    assert f"{told}: left out" in out
    assert "Best by" not in out
    assert told in call("--network", bad, "--data", sounds, *FEW, "--metrics=kad", code=2)


def test_networks_are_let_go_once_they_are_scored(run, sounds, monkeypatch):
    opened_before: list[weakref.ref] = []
    alive = []

    def open_and_count(*arguments):
        alive.append(sum(one() is not None for one in opened_before))
        network = open_network(*arguments)
        opened_before.append(weakref.ref(network.generator))
        return network

    monkeypatch.setattr(command, "open_network", open_and_count)
    call("--network", run / "network-snapshot-*.safetensors", *FEW, "--metrics=defects")
    assert len(alive) == 3
    assert max(alive) <= 1  # the one before, until its name is taken


def test_all_metrics_are_all_that_the_data_allow(tmp_path):
    write_notes(tmp_path / "notes", 40, 0.06, 8000, 0)
    bare = build(tmp_path / "notes", tmp_path / "bare.zip", labels="none", holdout=0.3)
    lone = save_snapshot(tmp_path / "network-snapshot-000001.safetensors")
    out = call("--network", lone, "--data", bare, *FEW, "--metrics=all", "--encoder=log-mel")
    assert "ndb, by log-mel" in out
    assert "classes" not in out
    assert "has no classes" in call("--network", lone, "--data", bare, *FEW, "--metrics=classes", code=2)


def test_networks_of_another_rate_or_without_a_run_need_their_data(run, sounds, tmp_path):
    lone = save_snapshot(tmp_path / "network-snapshot-000001.safetensors")
    assert "--data: missing" in call("--network", lone, *FEW, code=2)
    out = call("--network", lone, "--data", sounds, *FEW, "--metrics=defects")
    assert "network-snapshot-000001: 40 sounds" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--network=nowhere"], "nowhere: no such file"),
        (["--network={run}", "--metrics=fid"], "--metrics=fid: 'fid' is none; allowed are kad"),
        (["--network={run}", "--metrics=none"], "--metrics: none; name what to score with"),
        (["--network={run}", "--encoder=vggish"], "--encoder=vggish: unknown; allowed: log-mel"),
        (["--network={run}", "--seeds=9-1"], "--seeds=9-1: the range 9-1 runs backwards"),
        (["--network={run}", "--data=nowhere.zip"], "--data=nowhere.zip: no such file"),
        (["--network={run}", "--data={run}/log.txt"], "log.txt"),
        (["--network={run}", "--select=prdc"], "--select=prdc: not one of --metrics=kad,defects,novelty"),
        (["--network={run}", "--select=kad:musicnn", "--seeds=0-7"], "no snapshot has that score"),
        (["--network={run}", "--select=novelty.near_train"], "'near_train' is no figure to choose by; those are kad"),
        (["--network={run}", "--report={run}"], "is a folder; give a page's name"),
        (["--network={run}", "--report={run}/log.txt/r.html"], "log.txt: can't be written"),
        (["--network={run}", "--outdir={run}/log.txt"], "log.txt: can't be written"),
        (["--network={run}", "--device=tpu"], "--device=tpu"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, arguments, said):
    assert said in call(*(one.format(run=run) for one in arguments), code=2)


def test_as_a_program_it_takes_one_line_for_what_it_does_not_know(run):
    command = [sys.executable, str(ROOT / "calc_metrics.py"), f"--network={run}", "--frobnicate"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("calc_metrics.py: No such option")
