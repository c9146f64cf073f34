# SPDX-License-Identifier: Apache-2.0
"""Write docs/scores.md: what each score says of real sounds that are damaged more and more, and of missing kinds.

    python bench/scores.py AUDIO WORK [--out docs] [--again DAMAGE]

AUDIO is the folder of recorded sounds: its drums and notes become one archive of 22 050 Hz, 1.49 s each, a quarter held
out by file. Train sounds take the part of a network's outputs, damaged in each way and strength of spect/damage.py, or
with kinds of sounds left out; all are scored against the held-out ones. WORK keeps archive and rows: a call that was
stopped goes on.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.curves import svg
from patches.scores.choose import Wanted, evaluation
from patches.scores.data import drawn
from patches.scores.evaluation import Evaluation
from patches.scores.figures import figure
from patches.scores.files import append_rows, read_rows
from patches.scores.rows import Score
from patches.scores.select import differ
from patches.scores.sounds import Heard, Subject
from patches.scores.tables import tables, told
from patches.views import View
from spect.archive.reader import Archive
from spect.damage import DAMAGES, Damage
from spect.files import write_text
from stylegan3.metrics.estimate import Estimate

ROOT = Path(__file__).resolve().parents[1]
METRICS = ("kad", "frechet", "prdc", "ndb", "defects", "novelty")
PLOTS = _, SHARES = ("distances x100", "shares in %")
COUNT = 160  # sounds of a set
COLUMNS = (  # metric, figure, encoder
    ("kad", "kad", "log-mel"), ("kad", "kad", "modulation"), ("kad", "kad", "waveform"), ("kad", "kad", "stereo"),
    ("frechet", "frechet_infinity", "log-mel"), ("prdc", "precision", "log-mel"), ("prdc", "recall", "log-mel"),
    ("prdc", "coverage", "log-mel"), ("ndb", "ndb_share", "log-mel"), ("defects", "defective", ""),
    ("novelty", "nearer_than_real", "log-mel"),
)  # fmt: skip
INTRODUCTION = """# Scores: what they see

Written by `bench/scores.py`; not by hand. {count} real train sounds (drum hits and notes) stand where a network's
outputs would, as they are and damaged; the reference are {reference} held-out ones. What a score says of known damages
is what its numbers mean: look up what a network scores. Figures with 95 % intervals; KAD is x 100.

## The anchors

These stand in every table of `calc_metrics.py`, made from its own data.
"""

SEES = """"yes": really worse in the end than undamaged, no step really back (95 %); "steps back": one is; "no": unseen.
Two scores that disagree hear different things. KAD by log-mel sees neither DC nor the width of stereo, by waveform and
by stereo they see little but where energy lies; precision doesn't fall when kinds are missing, recall and bins tell.
Phases found by three and more iterations of Griffin-Lim are as good as real to all of them, chance phases (0) are not:
that is what the views with found phases rest on, and what ears must judge."""


def prepare(audio: Path, work: Path) -> Archive:
    """Build the archive."""
    for folder in ("drums", "notes"):
        link = work / "sounds" / folder
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to((audio / folder).resolve())
    path = work / "sounds.zip"
    if not path.exists():
        options = ("--resolution=64x256", "--sample-rate=22050", "--labels=folders", "--holdout=0.25", "--workers=1")
        command = [sys.executable, "dataset_tool_wav.py", f"--source={work / 'sounds'}", f"--dest={path}", *options]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return Archive.open(path)


def damaged(made: Evaluation, damage: Damage) -> Iterator[tuple[float, Subject]]:
    """Give a set for each strength of a damage."""
    data, rate = made.data, made.data.view.sample_rate

    def changed(heard: Heard, level: float) -> Tensor:
        return damage.apply(heard.sounds, rate, level, torch.Generator().manual_seed(heard.first))

    for level in damage.levels:
        name = f"{damage.name} {level:g}"
        yield level, data.real.subject(name, drawn(data.train, COUNT), lambda heard, level=level: changed(heard, level))


def lacking(made: Evaluation) -> Iterator[tuple[float, Subject]]:
    """Give sets in which more and more kinds (folders) are missing, others standing twice in their place."""
    data = made.data
    kinds = np.asarray([str(Path(data.archive.item(int(item))["source"]).parent) for item in data.train])
    order = np.random.default_rng(0).permutation(np.unique(kinds))
    for share in (0.25, 0.5, 0.75, 0.9):
        left = data.train[np.isin(kinds, order[round(share * len(order)) :])]
        items = np.random.default_rng(0).choice(left, COUNT, replace=len(left) < COUNT)
        yield share, data.real.subject(f"kinds missing {share:g}", np.sort(items))


def sets(made: Evaluation) -> dict[str, tuple[str, list[tuple[float, Subject]]]]:
    """Give all series: by name the unit and the sets from mild to strong."""
    found = {name: (damage.unit, list(damaged(made, damage))) for name, damage in DAMAGES.items()}
    return {**found, "kinds missing": ("share of 18 kinds", list(lacking(made)))}


def value(rows: Sequence[Score], system: str, column: tuple[str, str, str]) -> Estimate | None:
    """Find a figure of a set."""
    metric, name, encoder = column
    for row in rows:
        if (
            (row.system, row.metric) == (system, metric)
            and row.features.split(" ")[0] == encoder
            and name in row.values
        ):
            return row.values[name]
    return None


def verdict(rows: Sequence[Score], subjects: Sequence[tuple[float, Subject]], column: tuple[str, str, str]) -> str:
    """Say whether a score sees a series: really worse in the end, and no step really back."""
    better = figure(column[1]).better
    found = [value(rows, system, column) for system in systems_of(subjects)]
    known = [one for one in found if one is not None]
    if better is None or len(known) < 2:
        return "-"
    sign = -1 if better == "higher" else 1
    back = [differ(a, b) and sign * (b.value - a.value) < 0 for a, b in pairwise(known)]
    worse = differ(known[0], known[-1]) and sign * (known[-1].value - known[0].value) > 0
    return "steps back" if any(back) else "yes" if worse else "no"


def systems_of(subjects: Sequence[tuple[float, Subject]]) -> list[str]:
    """Name a series' sets, from the undamaged on."""
    return ["undamaged", *(subject.name for _, subject in subjects)]


def page(made: Evaluation, rows: Sequence[Score], anchors: Sequence[Score]) -> str:
    """Lay the page out."""
    reference = made.against.reference.count
    series = sets(made)
    lines = [INTRODUCTION.format(count=COUNT, reference=reference), "```", *tables(anchors)[1:], "```", ""]
    heads = [f"{name} {encoder}".strip() for _, name, encoder in COLUMNS]
    head = [f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    lines += ["## What each sees", "", SEES, "", *head]
    for name, (_, subjects) in series.items():
        lines.append(f"| {name} | {' | '.join(verdict(rows, subjects, column) for column in COLUMNS)} |")
    lines += ["", "## Damaged more and more", ""]
    for name, (unit, subjects) in series.items():
        lines += [f"### {name} ({unit})", "", *head]
        for system in systems_of(subjects):
            found = [(column[1], value(rows, system, column)) for column in COLUMNS]
            cells = [told(figure_name, one) if one else "-" for figure_name, one in found]
            lines.append(f"| {system} | {' | '.join(cells)} |")
        lines += ["", *(f"![{name}: {plot}](scores/{file_of(name, plot)})" for plot in PLOTS), ""]
    return "\n".join(lines)


def file_of(series: str, plot: str) -> str:
    """Name a series' plot."""
    return f"{series.replace(' ', '-')}{'-shares' if plot == SHARES else ''}.svg"


def curves(
    rows: Sequence[Score], subjects: Sequence[tuple[float, Subject]], plot: str
) -> Mapping[str, list[tuple[float, float]]]:
    """Give figures by step, from the undamaged at 0: distances (Fréchet x 100), or shares in percent."""
    found = {}
    for metric, name, encoder in COLUMNS:
        if (figure(name).share, metric == "novelty") == (plot == SHARES, False):
            values = [value(rows, system, (metric, name, encoder)) for system in systems_of(subjects)]
            factor = 1.0 if metric == "kad" else 100.0
            points = [(float(step), factor * one.value) for step, one in enumerate(values) if one]
            found[f"{name} {encoder}".replace("frechet_infinity", "frechet")] = points
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.work.mkdir(parents=True, exist_ok=True)
    archive = prepare(given.audio, given.work.resolve())
    made = evaluation(archive, View.fit(archive, "mel"), Wanted(METRICS), torch.device("cpu"))
    done = {row.system for row in read_rows(given.work)}
    undamaged = made.data.real.subject("undamaged", drawn(made.data.train, COUNT))
    for subject in [undamaged, *(one for _, subjects in sets(made).values() for _, one in subjects)]:
        if subject.name not in done:
            rows = made.scores(made.measured(subject))
            append_rows(given.work, rows)
            print(json.dumps({"set": subject.name, "kad": rows[0].values["kad"].value}), flush=True)
    rows = read_rows(given.work)
    (given.out / "scores").mkdir(parents=True, exist_ok=True)
    for series, (unit, subjects) in sets(made).items():
        for plot in PLOTS:
            steps = f"step ({unit}: {told_levels(subjects)})"
            text = svg(curves(rows, subjects, plot), f"{series}: {plot}", steps, plot)
            write_text(given.out / "scores" / file_of(series, plot), text)
    write_text(given.out / "scores.md", page(made, rows, made.anchors()))


def told_levels(subjects: Sequence[tuple[float, Subject]]) -> str:
    """List a series' strengths."""
    return ", ".join(f"{level:g}" for level, _ in subjects)


if __name__ == "__main__":
    main()
