# SPDX-License-Identifier: Apache-2.0
"""What --input-lock, --row-features and --row-gains bring, on small networks: writes docs/inputs.md.

    python bench/inputs.py AUDIO WORK --kimg 2 --seeds 2            # the cells that aren't done yet
    python bench/inputs.py AUDIO WORK --page docs/inputs.md         # the page, from what there is

Each cell trains one small network from nothing with as many pictures as its neighbours, the same data, numbers and
seed, and scores 200 sounds as bench/learning.py does, whose data these are. Pictures, not seconds: on a machine that
others use, the CPU time of a picture varies by a third; the median of its iterations stands in the table. AUDIO is the
folder of drums; where there is none, notes of examples/synth.py take its place. WORK keeps the archives and a line of
JSON for each cell: a call that was stopped begins again with the cell it was in, one with more seeds adds theirs. The
page keeps the lines in docs/inputs/inputs.jsonl: on another machine, whose WORK is empty, those cells are done too.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.learning import SOUNDS, generated
from bench.pages.hits import RATE, RESOLUTION, Scores, prepare, real_sounds
from bench.pages.measured import INPUTS, lines_of, write_lines
from bench.pages.variants import DRUMS, NOTES, page
from examples.synth import write_notes
from patches.runs.assemble import Assembly, assemble
from patches.runs.options import resolve
from spect.files import write_text
from stylegan3.training.samples import fakes, reals
from stylegan3.training.trainer import Trainer

NUMBERS = {"batch": 4, "batch_gpu": 4, "gamma": 3.0, "map_depth": 2, "glr": 0.006, "dlr": 0.012}
NUMBERS |= {"aug": "noaug", "z_dim": 64, "w_dim": 64}
WIDTHS = {"stylegan2": {"cbase": 512, "cmax": 64}, "stylegan3-t": {"cbase": 256, "cmax": 24}}
ROOT = Path(__file__).resolve().parents[1]
LAYERS = 6  # of StyleGAN3, in place of 14: minutes are few
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "stylegan2": {"as published": {}, "--row-gains=8": {"row_gains": 8}},
    "stylegan3-t": {
        "as published": {},
        "--input-lock=both": {"input_lock": "both"},
        "--row-features=8": {"row_features": 8},
        "--row-gains=8": {"row_gains": 8},
        "--input-lock=rotation": {"input_lock": "rotation"},
        "--input-lock=frequency": {"input_lock": "frequency"},
    },
}
CONSTANTS = {"layers": LAYERS, "batch": NUMBERS["batch"], "sounds": SOUNDS}
NOTE_COUNT, NOTE_SECONDS = 250, 0.35
RESULTS = "inputs.jsonl"


@dataclass(frozen=True)
class Cell:
    """One training: what is learned, by which network, with which variant of it, from which seed."""

    view: str
    cfg: str
    variant: str
    seed: int


def cells(view: str, seeds: int, configurations: Sequence[str] = tuple(VARIANTS)) -> Iterator[Cell]:
    """Give all cells; every variant of one seed before the next, so that what there is can be compared early."""
    for seed in range(seeds):
        for cfg in configurations:
            yield from (Cell(view, cfg, variant, seed) for variant in VARIANTS[cfg])


def prepare_notes(work: Path) -> None:
    """Build train.zip and heldout.zip from synthesised notes, for where there are no recordings."""
    for seed, part in enumerate(("train", "heldout")):
        if not (work / f"{part}.zip").exists():
            write_notes(work / part, NOTE_COUNT // (1 + 3 * seed), NOTE_SECONDS, RATE, seed)
            options = (f"--resolution={RESOLUTION}", f"--sample-rate={RATE}", "--workers=1")
            command = [sys.executable, "dataset_tool_wav.py", f"--source={work / part}", f"--dest={work / part}.zip"]
            subprocess.run([*command, *options], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def assembled(cell: Cell, work: Path) -> Assembly:
    """Build a cell's training."""
    options = {
        "outdir": str(work), "data": str(work / "train.zip"), "cfg": cell.cfg, "seed": cell.seed, "kimg": 1e6,
        **NUMBERS, **WIDTHS[cell.cfg], **VARIANTS[cell.cfg][cell.variant],
    }  # fmt: skip
    options["view"], options["view_args"] = cell.view.partition(" ")[::2]
    assembly = assemble(resolve(options, None), torch.device("cpu"))
    if cell.cfg == "stylegan2":
        return assembly
    return replace(
        assembly, setup=replace(assembly.setup, generator=replace(assembly.setup.generator, num_layers=LAYERS))
    )


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's r over all values of two tensors of one shape; 0 where one is constant."""
    r = float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])
    return r if r == r else 0.0


def measure(cell: Cell, work: Path, kimg: float) -> dict[str, Any]:
    """Train a cell and score it."""
    assembly = assembled(cell, work)
    trainer, view = Trainer(assembly.setup), assembly.setup.dataset.view  # type: ignore[attr-defined]
    assembly.recipe.prepare(trainer)
    source = trainer.batches()
    steps = []
    while trainer.images < 1000 * kimg:
        began = time.process_time()
        trainer.step(*next(source))
        steps.append((time.process_time() - began) / int(NUMBERS["batch"]))
    scores = Scores(real_sounds(work / "heldout.zip", view.samples), view.sample_rate)
    sounds = torch.cat(list(generated(trainer.mean_generator, view, SOUNDS)))
    real = reals(assembly.setup, "mean picture", 10**6, torch.device("cpu")).abs().mean(0)
    fake = fakes(trainer.mean_generator, assembly.setup, "mean picture", SOUNDS).abs().mean(0)
    pictures = {"r": correlation(fake, real), "rows": correlation(fake.mean(2), real.mean(2))}
    cost = {"kimg": trainer.images / 1000, "ms": 1000 * median(steps), "seconds": sum(steps) * int(NUMBERS["batch"])}
    return {**asdict(cell), **cost, **scores(sounds), **pictures}


def all_rows(*folders: Path) -> list[dict[str, Any]]:
    """Read what was measured, in several folders; of equal cells the first folder's."""
    found: dict[Any, dict[str, Any]] = {}
    for row in (row for folder in folders for row in lines_of(folder / RESULTS)):
        found.setdefault(cell_of(row), row)
    return [found[cell] for cell in sorted(found)]


def cell_of(row: dict[str, Any]) -> tuple[str, str, str, float, int, int]:
    """Return what tells a row from others, in the order of the page: data, view, network, kimg, variant, seed."""
    variant = list(VARIANTS[row["cfg"]]).index(row["variant"])
    return row["data"], row["view"], row["cfg"], row["kimg"], variant, row["seed"]


def shown(kimg: float) -> float:
    """Return how many pictures are shown, in thousands: whole batches."""
    return ceil(round(1000 * kimg / int(NUMBERS["batch"]), 6)) * int(NUMBERS["batch"]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--view", default="cmyk", help="a view and, after a space, its --view-args")
    parser.add_argument("--cfg", choices=VARIANTS, help="this configuration's cells only")
    parser.add_argument("--kimg", type=float, default=2.0, help="pictures of training a cell, in thousands")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--page", type=Path, help="write the page of what there is, and stop")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.work.mkdir(parents=True, exist_ok=True)
    work, data = given.work.resolve(), DRUMS if given.audio.is_dir() else NOTES
    if given.page:
        rows = all_rows(work, INPUTS)
        INPUTS.mkdir(exist_ok=True)
        write_lines(INPUTS / RESULTS, rows)
        write_text(given.page, page(rows, CONSTANTS))
        return
    if given.audio.is_dir():
        prepare(given.audio, work)
    else:
        prepare_notes(work)
    done = {cell_of(row) for row in all_rows(work, INPUTS)}
    for cell in cells(given.view, given.seeds, [given.cfg] if given.cfg else tuple(VARIANTS)):
        if cell_of({**asdict(cell), "kimg": shown(given.kimg), "data": data}) not in done:
            row = {"data": data, **measure(cell, work, given.kimg)}
            with open(work / RESULTS, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
