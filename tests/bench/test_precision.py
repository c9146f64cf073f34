# SPDX-License-Identifier: Apache-2.0
"""docs/precision.md compares what differs in nothing but precision and seed, at the same place of every curve."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.learning import Experiment
from bench.pages.hits import MEASURES
from bench.pages.measured import write_lines
from bench.precision import PAGE, at, compared, page, places, write_page


def curve(speed: float, *values: float) -> list[dict[str, Any]]:
    """A measurement a minute, with so many kimg a minute."""
    return [
        {"seconds": 60.0 * index, "kimg": speed * index, "shape": [4, 64, 64], **dict.fromkeys(MEASURES, value)}
        for index, value in enumerate(values)
    ]


def test_runs_that_differ_in_more_than_precision_and_seed_are_not_compared() -> None:
    names = [
        Experiment(view, "", "auto", "stylegan2", seed, 10.0, precision).name
        for view in ("mel", "logmag") for seed in (0, 1) for precision in ("fp32", "bf16")
    ]  # fmt: skip
    names += [Experiment("stft", "", "auto", "stylegan2", 0, 1.0, "bf16").name, "mel_stylegan2_s0_gamma10"]
    found = compared({name: curve(1.0, 9.0, 1.0) for name in names})
    assert {key: {name: len(runs) for name, runs in group.items()} for key, group in found.items()} == {
        ("stylegan2", "mel, gamma 10"): {"bf16": 2, "fp32": 2},
        ("stylegan2", "logmag, gamma 10"): {"bf16": 2, "fp32": 2},
    }


def test_curves_are_read_where_all_of_them_are() -> None:
    slow, fast = curve(1.0, 9.0, 5.0, 1.0), curve(3.0, 9.0, 3.0)
    runs = {"fp32": [slow], "bf16": [fast]}
    assert places(runs, "kimg").tolist() == pytest.approx([0.4, 0.8, 1.2, 1.6, 2.0])
    assert places(runs, "seconds")[-1] == 60
    assert at(slow, "kimg", 1.5, "log-mel") == pytest.approx(3.0)
    assert at(fast, "kimg", 1.5, "log-mel") == pytest.approx(6.0)
    del slow[1]["log-mel"]  # its sounds weren't finite
    assert at(slow, "seconds", 60, "log-mel") == pytest.approx(5.0)


def test_the_page_shows_means_and_ranges_in_both_precisions() -> None:
    found = {f"mel_stylegan2_s{seed}_fp32": curve(1.0, 8.0, 2.0 + seed) for seed in (0, 1)}
    found |= {f"mel_stylegan2_s{seed}_bf16": curve(2.0, 8.0, 1.0 + seed) for seed in (0, 1)}
    lines = page(found, "a machine").splitlines()
    scores = " | ".join(["2.50 (2.0 to 3.0)"] * len(MEASURES))
    assert f"| stylegan2 | mel | 2 | 1.0 | fp32 | 1.0 | {scores} |" in lines
    scores = " | ".join(["4.75 (4.5 to 5.0)"] * len(MEASURES))
    assert f"| stylegan2 | mel | 2 | 1.0 | bf16 | 0.5 | {scores} |" in lines
    scores = " | ".join(["1.50 (1.0 to 2.0)"] * len(MEASURES))
    assert f"| stylegan2 | mel | 2 | 1.0 | bf16 | 2.0 | {scores} |" in lines


def test_the_page_is_what_is_kept_and_new_curves_join_it(tmp_path: Path) -> None:
    shutil.copytree(PAGE.with_suffix(""), tmp_path / "precision")
    write_page(None, tmp_path / "precision.md")
    assert (tmp_path / "precision.md").read_bytes() == PAGE.read_bytes()
    for precision in ("fp32", "bf16"):
        (tmp_path / "work").mkdir(exist_ok=True)
        write_lines(tmp_path / "work" / f"wave_stylegan2_s9_{precision}.jsonl", curve(1.0, 9.0, 1.0))
    write_page(tmp_path / "work", tmp_path / "precision.md")
    assert "| stylegan2 | wave | 1 | 1.0 | bf16 |" in (tmp_path / "precision.md").read_text()
