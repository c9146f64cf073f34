# SPDX-License-Identifier: Apache-2.0
"""The page that bench/inputs.py writes says what was measured, and no more."""

from pathlib import Path
from typing import Any

from bench.inputs import CONSTANTS, NUMBERS, RESULTS, VARIANTS, all_rows, cells, shown
from bench.pages.measured import DOCS, INPUTS, write_lines
from bench.pages.variants import DRUMS, FIGURES, page, verdict
from patches.runs.options import NAMES


def row(variant: str, seed: int, value: float) -> dict[str, Any]:
    cost = {"kimg": 1.0, "ms": 10.0, "seconds": 60.0}
    return {
        "data": DRUMS,
        "view": "cmyk",
        "cfg": "stylegan2",
        "variant": variant,
        "seed": seed,
        **cost,
        **dict.fromkeys(FIGURES, value),
    }


def test_a_difference_is_a_finding_only_where_all_seeds_agree() -> None:
    assert verdict([-1.0, -2.0]) == "-1.50"
    assert verdict([-1.0, 2.0]) == "+0.50 (signs differ)"
    assert verdict([-1.0]) == "-1.00 (one seed)"


def test_the_page_compares_equal_seeds() -> None:
    rows = [row("as published", 0, 5.0), row("as published", 1, 9.0), row("--row-gains=8", 1, 8.0)]
    text = page(rows, CONSTANTS)
    assert "| as published | 2 | 1.0 | 10 | 7.00 |" in text
    assert "| --row-gains=8 | 1 | 1.0 | 10 | 8.00 |" in text
    assert "| -1.00 (one seed) |" in text
    assert "3 trainings" in text
    assert "3 CPU minutes in all, on drum hits" in text


def test_every_variant_is_run_for_a_seed_before_the_next_one() -> None:
    plan = list(cells("mel", 2))
    assert [cell.seed for cell in plan] == sorted(cell.seed for cell in plan)
    assert len(plan) == 2 * sum(len(found) for found in VARIANTS.values())
    options = {name for found in VARIANTS.values() for chosen in found.values() for name in chosen}
    assert {*options, *NUMBERS} <= set(NAMES)


def test_trainings_of_other_lengths_or_data_are_not_mixed() -> None:
    rows = [row("as published", 0, 5.0), {**row("as published", 0, 7.0), "kimg": 2.0}]
    rows.append({**row("as published", 1, 9.0), "data": "synthesised notes"})
    text = page(rows, CONSTANTS)
    assert text.count("| as published | 1 |") == 3
    assert "on drum hits and synthesised notes" in text


def test_cells_kept_from_another_machine_are_added_to_those_of_this_one(tmp_path: Path) -> None:
    here, kept = tmp_path / "here", tmp_path / "kept"
    for folder, value in ((here, 1.0), (kept, 2.0)):
        folder.mkdir()
        write_lines(folder / RESULTS, [row("as published", 0, value)])
    write_lines(kept / RESULTS, [row("--row-gains=8", 1, 2.0), row("as published", 0, 2.0)])
    found = [(one["variant"], one["r"]) for one in all_rows(here, kept)]
    assert found == [("as published", 1.0), ("--row-gains=8", 2.0)]


def test_a_cell_is_named_by_the_pictures_that_whole_batches_show() -> None:
    assert [shown(kimg) for kimg in (0.8, 1.5, 0.801)] == [0.8, 1.5, 0.804]


def test_the_page_is_what_its_kept_cells_say() -> None:
    assert (DOCS / "inputs.md").read_text(encoding="utf-8") == page(all_rows(INPUTS), CONSTANTS)
