# SPDX-License-Identifier: Apache-2.0
"""The page that bench/inputs.py writes says what was measured, and no more."""

from typing import Any

from bench.inputs import FIGURES, NUMBERS, VARIANTS, cells, page, verdict
from patches.runs.options import NAMES


def row(variant: str, seed: int, value: float) -> dict[str, Any]:
    cost = {"kimg": 1.0, "ms": 10.0, "seconds": 60.0}
    return {
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
    text = page(rows, "drum hits")
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
