# SPDX-License-Identifier: Apache-2.0
"""bench/train.py and bench/ranks.py: parts add up, ratios are against the same loop, pages are what was measured."""

import json
import subprocess
import sys
import time
import tomllib
from dataclasses import replace

import pytest
import torch

from bench import train
from bench.pages import scaling
from bench.pages.scaling import drawn, exchanged, parameters, seconds_of_exchange
from bench.pages.training_data import Seen, stored
from bench.pages.training_passes import Clock, Runner, Started, Training, averaged, footprint, timed
from bench.pages.training_tables import PARTS, training_lines
from patches.views import KINDS

TINY = Training("stylegan2", 16, 4, 128, 8, "cpu", ("auto/fp32", "reference/fp32"), rounds=1)
MACHINE = {"processor": "p", "cores": 2, "threads": 2, "python": "3", "torch": "2", "triton": "none", "commit": "c"}


def test_time_belongs_to_the_innermost_part():
    clock = Clock(torch.device("cpu"))
    with clock("outer"):
        time.sleep(0.02)
        with clock("inner"):
            time.sleep(0.03)
        time.sleep(0.02)
    parts = clock.read()
    assert parts["inner"] >= 0.03
    assert 0.04 <= parts["outer"] < 0.04 + parts["inner"]
    assert clock.read() == {}


def test_a_training_is_timed_in_its_parts():
    rows = timed(TINY)
    assert [(row["way"], row["precision"]) for row in rows] == [("auto", "fp32"), ("reference", "fp32")]
    for row in rows:
        assert row["parts"].keys() == set(PARTS)
        assert all(seconds > 0 for seconds in row["parts"].values())
        assert row["seconds"] == pytest.approx(sum(row["parts"].values()), rel=0.01)
        assert row["s_per_kimg"] == pytest.approx(1000 * row["seconds"] / 4)
        assert 0 <= row["waiting_share"] < 1
    heading, _, *lines = (line.split(" | ") for line in training_lines({"machine": MACHINE, "rows": rows})[-4:])
    for name in ("augmentation", "statistics"):
        assert all(float(line[heading.index(name)]) > 0 for line in lines)


@pytest.mark.parametrize("way", TINY.ways)
def test_what_is_timed_augments_and_gathers_adas_statistics(way, tmp_path):
    """Not only spans around nothing: operations start in them, of the yardstick's as many."""
    runner = Runner(TINY, way, stored(tmp_path, TINY.size))
    runner.warm_up()
    with Started(runner.clock) as started:
        runner.average()
    assert started.counts["augmentation"] > 100
    assert runner.trainer.ada.p == pytest.approx(TINY.p, abs=1e-3)
    bare = Runner(replace(TINY, p=0.0), way, stored(tmp_path, TINY.size))
    with Started(bare.clock) as without:
        bare.average()
    assert "augmentation" not in without.counts
    assert without.counts["statistics"] > 4 * 10  # losses and their parts, in each of four iterations
    # ADA's sums go to the CPU, and begin anew
    assert started.counts["statistics"] == without.counts["statistics"] + 2


def test_pictures_are_augmented_as_the_default_views_are():
    assert Seen(16).transforms == KINDS["cmyk"].transforms(None)
    model = Seen(16).to_model(torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(Seen(16).to_model(Seen(16).from_model(model)), model)


def test_it_needs_torch_and_numpy_alone():
    """Nothing else that this project depends on is found by the interpreter that trains."""
    listed = tomllib.loads((train.PAGE.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = [text.split(">")[0] for text in listed]
    hidden = {"pillow": "PIL"}
    others = [hidden.get(name, name) for name in names if name not in ("torch", "numpy")]
    assert {"PIL", "scipy"} <= set(others)
    code = f"""
import json, sys
sys.modules |= dict.fromkeys({others})
sys.path.insert(0, {str(train.PAGE.parents[1])!r})
from bench import train
print(len(train.one({json.dumps({"training": replace(TINY, ways=TINY.ways[:1]).to_dict(), "what": "times"})!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["1"]), done.stderr


def test_waiting_is_the_cards_where_it_waits_longer_than_the_cpu(tmp_path, monkeypatch):
    runner = Runner(TINY, "auto/fp32", stored(tmp_path, TINY.size))
    parts = runner.iterate(2)
    assert runner.waits == [parts["waiting for data"] / 2]
    for stalled in (3.0, 0.0):
        monkeypatch.setattr(runner.clock, "read", lambda stalled=stalled: {"waiting for data": stalled})
        runner.iterate(2)
    assert runner.waits[1] == 1.5
    assert 0 < runner.waits[2] < 1.5


def test_operations_are_counted_without_views_and_allocations():
    """By part, as the clock's time is, gradients with them."""
    clock = Clock(torch.device("cpu"))
    x = torch.ones(3, 4, requires_grad=True)
    with Started(clock) as started:
        with clock("G main"):
            y = x.mT.contiguous().view(-1)  # one copy
            torch._foreach_add_([torch.empty(4), torch.empty(2)], 1)  # one
        (y * 2).sum().backward()  # two, and two gradients, the copy's among them
    assert started.counts["G main"] == 2
    assert 4 <= started.counts["rest"] <= 6
    found = footprint(TINY)
    assert found["gb"] > 0
    assert 500 < found["operations"] < 3000


def test_an_average_is_weighed_by_how_often_a_phase_comes():
    parts = {"D R1": 1.6, "G path length": 0.4, "G main": 2.0, "EMA": 0.4}
    found = averaged(parts, {"G main": 1, "G path length": 4, "D R1": 16}, count=4)
    assert found == pytest.approx({"D R1": 0.1, "G path length": 0.1, "G main": 0.5, "EMA": 0.1})


def test_the_pages_ratio_is_of_the_same_training():
    row = {
        "cfg": "stylegan2", "size": 64, "batch": 8, "device": "cpu", "way": "auto", "precision": "fp32", "seconds": 0.5,
        "s_per_kimg": 62.5, "parts": {"G main": 0.5}, "waiting_share": 0.001, "gb": 1.0, "operations": 1480.0,
    }  # fmt: skip
    slow = {**row, "way": "reference", "seconds": 2.0}
    lines = training_lines({"machine": MACHINE, "rows": [row, slow, {**slow, "size": 128, "seconds": 9.0}]})
    assert "| stylegan2 | 64x64 | 8 | fp32 | auto | 62 | 4.0x | 1.0 | 1480 | 0.1 % |" in lines
    assert any("3x the yardstick | 4.0x | yes" in line for line in lines)
    assert "Without augmentation, and without ADA's statistics." in lines  # as before rows said


def test_on_a_card_the_page_says_what_replayed_phases_contain():
    row = {
        "cfg": "stylegan2", "size": 256, "batch": 16, "device": "cuda", "way": "auto", "precision": "fp16", "p": 0.2,
        "seconds": 0.05, "s_per_kimg": 3.1, "parts": {"G main": 0.02}, "waiting_share": 0.001,
        "unrecorded_augmentation": 0.0012,
    }  # fmt: skip
    lines = training_lines({"machine": MACHINE, "rows": [row]})
    assert any("probability, about 0.2" in line for line in lines)
    assert any(line.startswith("In brackets") for line in lines)
    assert any("| 20 | - | - | - | - (1.2) |" in line for line in lines)


def test_the_command_line_names_trainings_and_ways():
    given = train.options(["--device=cpu", "--trainings=stylegan3-t:32:16", "--precisions=bf16", "--cbase=64"])
    (found,) = train.wanted(given)
    assert found == replace(TINY, cfg="stylegan3-t", size=32, batch=16, cbase=64, cmax=128, rounds=3,
                            ways=("auto/bf16", "reference/fp32"))  # fmt: skip
    assert json.loads(json.dumps(found.to_dict()))["cfg"] == "stylegan3-t"


def test_what_an_iteration_exchanges_is_counted_from_the_networks():
    of_g, of_d = parameters("stylegan2", 256)
    assert (round(of_g / 1e6), round(of_d / 1e6)) == (30, 29)
    assert exchanged("stylegan2", 256) == 4 * (1.25 * of_g + 17 / 16 * of_d)
    of_g, of_d = parameters("stylegan3-t", 512)
    assert exchanged("stylegan3-t", 512) == 4 * (of_g + 17 / 16 * of_d)  # no path length


def test_a_ring_sends_every_byte_twice_but_for_its_own_share():
    assert seconds_of_exchange(350e9, 1) == 0
    slow = seconds_of_exchange(16 * 2**20, 8) - 2 * 7 / 8 * 16 * 2**20 / scaling.NVLINK
    assert slow == pytest.approx(scaling.LATENCY)  # one bucket


def test_docs_scaling_is_drawn_from_what_was_measured():
    assert scaling.PAGE.read_text("utf-8") == drawn(scaling.PAGE)
