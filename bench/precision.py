# SPDX-License-Identifier: Apache-2.0
"""Write docs/precision.md: what a network learns in one precision and another, after as many pictures and as long.

    python bench/learning.py AUDIO/drums WORK --view mel --precision fp32 --seed 0    # and bf16; other seeds, networks
    python bench/precision.py [WORK]

Runs are compared that differ in nothing but --precision and seed. A score between two measurements of a curve lies on
the line between them. Curves are kept in docs/precision/measured, from which the page is written again without WORK.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.pages.hits import MEASURES
from bench.pages.learned import Curves, Group, header
from bench.pages.machine import facts, told
from bench.pages.measured import DOCS, Row, curves, keep_curves, write_numbers
from patches.runs.precision import INNER
from spect.files import write_text

PAGE = DOCS / "precision.md"
MACHINE = "machine.json"
STEPS = 5  # places along the curves that are shown
Compared = dict[str, list[list[Row]]]
"""By precision the curves of its runs, a seed each."""

INTRODUCTION = """\
# Precision: what is learned in it

Written by `bench/precision.py` from runs of `bench/learning.py`; not by hand. The protocol is that of the learning
curves in [views.md](views.md): real drum hits are learned, those of other kits are the reference; KAD (x100) of 200 new
sounds, lower is better. Mean over seeds, in brackets the least and the most of them. fp32 and bf16 (`--precision`) ran
side by side, a core each, and differ in nothing else; both ends of G and D, weights and statistics are float32 in both.

{machine}"""


def compared(found: Curves) -> dict[tuple[str, str], Compared]:
    """Group runs by network and view; those of one precision alone are left out."""
    groups: dict[tuple[str, str], Compared] = {}
    for name, rows in sorted(found.items()):
        base, _, precision = name.rpartition("_")
        if precision in INNER:
            group = Group.of(base, rows)
            groups.setdefault((group.cfg, group.view), {}).setdefault(precision, []).append(rows)
    return {key: runs for key, runs in groups.items() if len(runs) > 1}


def at(rows: list[Row], column: str, place: float, wanted: str) -> float:
    """Return what a curve has where a column has some value, between the measurements beside it."""
    known = [row for row in rows if wanted in row]
    return float(np.interp(place, [row[column] for row in known], [row[wanted] for row in known]))


def places(runs: Compared, column: str) -> np.ndarray:
    """Return values of a column that all curves reach."""
    last = min(rows[-1][column] for curves_of in runs.values() for rows in curves_of)
    return np.linspace(0, last, STEPS + 1)[1:]


def lines_of(groups: dict[tuple[str, str], Compared], column: str, unit: float, other: str) -> Iterator[str]:
    """Give a table's lines: at some values of a column, in so many of its units, and what another one came to."""
    for (cfg, view), runs in groups.items():
        for place in places(runs, column):
            for precision, curves_of in runs.items():
                beside = mean(at(rows, column, place, other) for rows in curves_of)
                cells = [cfg, view, str(len(curves_of)), f"{place / unit:.1f}", precision]
                cells += [f"{beside / (60 if other == 'seconds' else 1):.1f}"]
                for measure in MEASURES:
                    values = [at(rows, column, place, measure) for rows in curves_of]
                    span = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
                    cells.append(f"{mean(values):.2f}{span}")
                yield f"| {' | '.join(cells)} |"


def page(found: Curves, machine: str) -> str:
    """Lay the page out."""
    groups = compared(found)
    lines = [INTRODUCTION.format(machine=machine), "", "## After as many pictures", ""]
    lines += header("network", "view", "seeds", "kimg", "precision", "CPU min", *MEASURES)
    lines += lines_of(groups, "kimg", 1, "seconds")
    lines += ["", "## After as much time", ""]
    lines += header("network", "view", "seeds", "CPU min", "precision", "kimg", *MEASURES)
    lines += lines_of(groups, "seconds", 60, "kimg")
    return "\n".join(lines) + "\n"


def write_page(work: Path | None, out: Path = PAGE) -> None:
    """Keep the work folder's curves, where one is given, and write the page from what is kept.

    Args:
        out: the page; its curves lie in measured/ in a folder of its name.
    """
    kept = out.with_suffix("") / "measured"
    if work is not None:
        kept.mkdir(parents=True, exist_ok=True)
        keep_curves(work, kept)
        write_numbers(kept / MACHINE, facts(torch.device("cpu")))
    machine = told(json.loads((kept / MACHINE).read_text("utf-8")))
    write_text(out, page(curves(kept, kept), machine))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, nargs="?", help="folder of bench/learning.py on this machine")
    given = parser.parse_args()
    torch.set_num_threads(1)  # as the runs did
    write_page(given.work)


if __name__ == "__main__":
    main()
