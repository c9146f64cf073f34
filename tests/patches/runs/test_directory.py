# SPDX-License-Identifier: Apache-2.0
"""Names, numbers, and what is cut when a run goes back to an older state."""

import json
import os

import pytest

from patches.errors import UserError
from patches.runs.directory import Run, check_writable, description, runs, stamp
from tests.patches.runs.support import resolved

OPTIONS = resolved(outdir="runs", data="sets/my sounds (new).zip").options


@pytest.mark.parametrize(
    ("images", "batch", "name"),
    [(0, 8, "000000"), (1000, 8, "000001"), (1007, 8, "000001"), (1008, 8, "000001.008"), (312, 8, "000000.312"),
     (10312, 16, "000010.312"), (25_000_000, 32, "025000"), (1_234_567_000, 32, "1234567"), (4096, 2048, "000004")],
)  # fmt: skip
def test_the_first_iteration_past_a_thousand_has_the_plain_number(images, batch, name):
    assert stamp(images, batch) == name


@pytest.mark.parametrize("batch", [4, 8, 24, 512, 1000, 1024])
def test_no_two_iterations_share_a_name_and_names_sort_as_they_came(batch):
    names = [stamp(images, batch) for images in range(0, 20_000, batch)]
    assert len(set(names)) == len(names)
    assert sorted(names, key=float) == names


def test_a_name_tells_the_options_and_holds_no_odd_letters():
    assert description(OPTIONS) == "stylegan2-my_sounds__new_-gpus1-batch8-gamma1"
    named = resolved(outdir="runs", data="a.zip", desc="with / and :", gamma=0.5).options
    assert description(named) == "stylegan2-a-gpus1-batch8-gamma0.5-with___and__"


def test_runs_are_numbered_after_the_highest(tmp_path):
    for name in ("00000-a", "00007-b", "notes", "123-c"):
        (tmp_path / name).mkdir()
    assert Run.create(tmp_path, OPTIONS).path.name.startswith("00008-")
    assert [run.path.name[:5] for run in runs(tmp_path)] == ["00000", "00007", "00008"]
    assert runs(tmp_path / "none") == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for check in (check_writable, lambda outdir: Run.create(outdir, OPTIONS)):
        with pytest.raises(UserError, match=r"--outdir=.*: can't be written .*; give another folder"):
            check(tmp_path / "file" / "runs" / "deep")
    check_writable(tmp_path / "not" / "yet")
    assert not (tmp_path / "not").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="no permission"):
        check_writable(tmp_path / "runs")


def made(tmp_path, numbers=("000000", "000000.312", "000001", "000010")) -> Run:
    for number in numbers:
        for name in (f"training-state-{number}.safetensors", f"network-snapshot-{number}.safetensors",
                     f"fakes{number}.png", f"fakes{number}.wav"):  # fmt: skip
            (tmp_path / name).write_text("")
    rows = [{"images": images, "x": 0.1} for images in (312, 1000, 10_000)]
    (tmp_path / "stats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Run(tmp_path)


def test_states_come_oldest_first(tmp_path):
    run = made(tmp_path, ("000010", "000000", "1000000", "000000.312", "000009"))
    numbers = [path.name[15:-12] for path in run.states()]
    assert numbers == ["000000", "000000.312", "000009", "000010", "1000000"]


def test_all_that_is_newer_than_a_state_is_cut(tmp_path):
    run = made(tmp_path)
    kept = {path.name for path in tmp_path.iterdir() if "000010" not in path.name and ".312" not in path.name}
    cut = run.cut_after(1000, tmp_path / "training-state-000001.safetensors")
    assert len(cut) == 4
    assert {path.name for path in tmp_path.iterdir()} == kept | {
        name for name in os.listdir(tmp_path) if ".312" in name
    }
    assert [row["images"] for row in run.rows()] == [312, 1000]


def test_a_run_that_begins_again_is_emptied(tmp_path):
    run = made(tmp_path)
    assert len(run.cut_after(0, None)) == 16
    assert run.rows() == []


def test_a_row_that_is_kept_stays_as_it_was(tmp_path):
    run = made(tmp_path)
    before = (tmp_path / "stats.jsonl").read_text()
    run.cut_after(10_000, tmp_path / "training-state-000010.safetensors")
    assert (tmp_path / "stats.jsonl").read_text() == before


def test_a_folder_without_options_is_no_run(tmp_path):
    for content in (None, "{", ""):
        if content is not None:
            (tmp_path / "training_options.json").write_text(content)
        with pytest.raises(UserError, match="not a run of this program"):
            Run(tmp_path).options()
