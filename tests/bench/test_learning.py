# SPDX-License-Identifier: Apache-2.0
"""What is measured on one machine is still there on the next, and the tables say what it comes to."""

from pathlib import Path
from typing import Any

import pytest

from bench.learning import Experiment, suited_gamma, told
from bench.pages.hits import MEASURES, NOISY_HITS, TRAIN_HITS
from bench.pages.learned import Group, came_to, summary, table
from bench.pages.measured import curves, numbers, write_lines, write_numbers

ONE = ("log-mel",)


def curve(*values: float | None, minutes: float = 10.0) -> list[dict[str, Any]]:
    """A curve of one value for all measures, None where the sounds weren't finite."""
    steps = [minutes * 60 * index / (len(values) - 1) for index in range(len(values))]
    figures = [{} if value is None else dict.fromkeys(MEASURES, value) for value in values]
    cost = [{"seconds": at, "kimg": at / 60, "shape": [4, 64, 64]} for at in steps]
    return [{**one, **other} for one, other in zip(cost, figures, strict=True)]


def test_a_runs_name_says_its_gamma_where_it_is_not_one() -> None:
    assert Experiment("mel", "", "auto", "stylegan2", 2, 10.0).name == "mel_stylegan2_s2_gamma10"
    assert Experiment("lapped", "", "auto", "stylegan3-t", 0, 1.0).name == "lapped_stylegan3-t_s0"
    assert (
        Experiment("mel", "rows=32,frames=32", "auto", "stylegan2", 0, 1.0).name == "mel_rows32-frames32_stylegan2_s0"
    )


def test_gamma_follows_the_size_that_the_scaling_gives_a_picture() -> None:
    assert [suited_gamma(view, "auto") for view in ("mel", "logmag", "stereo", "instfreq")] == [10.0] * 4
    assert [suited_gamma(view, "auto") for view in ("cmyk", "lapped", "stft", "wave")] == [1.0] * 4
    assert suited_gamma("cmyk", "linear") == 1.0


def test_a_run_comes_to_the_mean_of_its_last_three_measurements() -> None:
    assert came_to(curve(50.0, 9.0, 3.0, 4.0, 5.0), "log-mel") == pytest.approx(4.0)
    assert came_to(curve(50.0, None, None, None), "log-mel") is None


def test_names_are_read_back_as_they_were_made() -> None:
    rows = curve(2.0, 1.0)
    assert Group.of("mel_stylegan3-t_s0_gamma10", rows) == Group("mel, gamma 10", "stylegan3-t", 10)
    assert Group.of("mel_rows32-frames32_stylegan2_s11", rows) == Group("mel, rows32-frames32", "stylegan2", 10)


def test_the_summary_averages_seeds_and_marks_the_best_of_equal_networks_and_times() -> None:
    found = {
        "mel_stylegan2_s0_gamma10": curve(50.0, 2.0, 2.0, 2.0),
        "mel_stylegan2_s1_gamma10": curve(50.0, 4.0, 4.0, 4.0),
        "cmyk_stylegan2_s0": curve(50.0, 9.0, 9.0, 9.0),
        "lapped_stylegan2_s0": curve(50.0, 1.0, 1.0, 1.0, minutes=5.0),
        "stft_stylegan2_s0": curve(50.0, None, None, None),
        "mel_stylegan3-t_s0_gamma10": curve(50.0, 20.0),
    }
    assert summary(found, ONE, "mel")[2:] == [
        "| mel, gamma 10 (`--view=auto`) | stylegan2 | 10 | 2 | **3.00** |",
        "| cmyk | stylegan2 | 10 | 1 | 9.00 |",
        "| stft | stylegan2 | 10 | 1 | not measured |",
        "| lapped | stylegan2 | 5 | 1 | 1.00 |",
        "| mel, gamma 10 (`--view=auto`) | stylegan3-t | 10 | 1 | 35.00 |",
    ]


def test_the_table_shows_every_run_and_the_anchors() -> None:
    lines = table({"cmyk_stylegan2_s0": curve(50.0, 9.0, 8.0, 10.0)}, {"train hits": {"log-mel": 0.5}}, ONE)
    assert lines[2:] == [
        "| train hits | | | | 0.50 |",
        "| cmyk_stylegan2_s0 | 4x64x64 | 10.0 | 10.0 | 9.00 (8.0 to 10.0; untrained 50.0) |",
    ]


def test_a_work_folders_curves_go_before_the_kept_ones_which_fill_the_gaps(tmp_path: Path) -> None:
    work, kept = tmp_path / "work", tmp_path / "kept"
    for folder, value in ((work, 1.0), (kept, 2.0)):
        folder.mkdir()
        write_lines(folder / "mel_stylegan2_s0.jsonl", curve(9.0, value))
        write_numbers(folder / "views.json", {"mel": value})
    write_lines(kept / "cmyk_stylegan2_s0.jsonl", curve(9.0, 2.0))
    write_lines(work / "inputs.jsonl", [{"of": "another page"}])
    write_numbers(kept / "views.json", {"mel": 2.0, "cmyk": 2.0})
    assert {name: rows[-1]["log-mel"] for name, rows in curves(work, kept).items()} == {
        "cmyk_stylegan2_s0": 2.0,
        "mel_stylegan2_s0": 1.0,
    }
    assert numbers("views.json", work, kept) == {"mel": 1.0, "cmyk": 2.0}


def test_the_table_is_there_on_a_machine_that_has_nothing_but_what_was_kept(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    write_lines(tmp_path / "cmyk_stylegan2_s0.jsonl", curve(50.0, 9.0))
    row = dict.fromkeys(MEASURES, 1.5)
    write_numbers(tmp_path / "anchors.json", {TRAIN_HITS: row, NOISY_HITS: row})
    text = told(tmp_path / "no audio", tmp_path / "work", tmp_path)
    assert "| train hits | | | | 1.50 | 1.50 | 1.50 | 1.50 |" in text
    assert "| cmyk_stylegan2_s0 |" in text
