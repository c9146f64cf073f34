# SPDX-License-Identifier: Apache-2.0
"""docs/inputs.md as text: variants of networks beside the network as published, by what bench/inputs.py measured.

A row is one training: data, view, cfg, kimg, variant, seed, its cost (ms a picture, seconds) and its figures.
"""

from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Any

from bench.pages.hits import MEASURES

DRUMS, NOTES = "drum hits", "synthesised notes"
INTRODUCTION = """# Inputs: locked, and rows of their own

A sound's picture has two unlike axes. Options of train.py that say so, all off by default:

- `--input-lock=rotation|frequency|both`: w can't turn StyleGAN3's Fourier input, nor shift it along the frequencies.
- `--row-features=N`: N learned profiles along the frequencies at that input, below its band limit, which w weighs but
  doesn't move.
- `--row-gains=N` (StyleGAN2 too): N learned profiles, weighed by w, from which each frequency of each channel of the
  picture gets a gain and an offset. They may be as sharp as they like.

An untrained network is the same with all of these and without.

Written by `python bench/inputs.py`; not by hand. {trainings} trainings of small networks (at most 64 channels;
StyleGAN3-T of {layers} layers), batch {batch}, {minutes:.0f} CPU minutes in all, on {data}. KAD: kernel distance of
{sounds} sounds to sounds that training never saw (less is better). r: Pearson's, of the mean |y| picture of generated
and of real pictures, and of its mean over time, each row's level (more is better).

A difference is that of equal seeds, averaged. "Signs differ": the seeds don't agree on better or worse, so that nothing
was found. Where they agree, it is a finding on minutes of training, no verdict on days of it; and by chance alone two
seeds agree every other time, three one time in four."""
FIGURES = {**{name: f"KAD {name}" for name in MEASURES}, "r": "r, mean picture", "rows": "r, mean row"}


def verdict(differences: Sequence[float]) -> str:
    """Say what paired differences show: a sign that all seeds share, of at least two, or nothing."""
    alike = len(differences) > 1 and (all(d < 0 for d in differences) or all(d > 0 for d in differences))
    return f"{mean(differences):+.2f}" + ("" if alike else " (signs differ)" if len(differences) > 1 else " (one seed)")


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Lay the variants of one view and network out: means over seeds, and differences to the first of equal seeds."""
    base = {row["seed"]: row for row in rows if row["variant"] == "as published"}
    figures = {name: title for name, title in FIGURES.items() if all(name in row for row in rows)}
    lines = [
        f"| | seeds | kimg | CPU ms a picture | {' | '.join(figures.values())} |",
        "|---|---|---|---|" + "---|" * len(figures),
    ]
    for variant in dict.fromkeys(row["variant"] for row in rows):
        of = [row for row in rows if row["variant"] == variant]
        values = [f"{mean(row[name] for row in of):.2f}" for name in figures]
        cost = f"{mean(row['kimg'] for row in of):.1f} | {median(row['ms'] for row in of):.0f}"
        lines.append(f"| {variant} | {len(of)} | {cost} | {' | '.join(values)} |")
        paired = [row for row in of if row["seed"] in base] if variant != "as published" else []
        if paired:
            found = [verdict([row[name] - base[row["seed"]][name] for row in paired]) for name in figures]
            lines.append(f"| … less as published | | | | {' | '.join(found)} |")
    return lines


def page(rows: Sequence[dict[str, Any]], constants: Mapping[str, Any]) -> str:
    """Write the page.

    Args:
        constants: what all trainings share: layers, batch, sounds.
    """
    minutes = sum(row["seconds"] for row in rows) / 60
    data = " and ".join(dict.fromkeys(row["data"] for row in rows))
    lines = [INTRODUCTION.format(trainings=len(rows), minutes=minutes, data=data, **constants)]
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        of_notes = f", {NOTES}" * (row["data"] == NOTES)
        parts.setdefault(f"## {row['cfg']}, view {row['view']}, {row['kimg']:g} kimg{of_notes}", []).append(row)
    for title, some in parts.items():
        lines += ["", title, "", *table(some)]
    return "\n".join(lines) + "\n"
