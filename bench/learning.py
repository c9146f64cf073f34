# SPDX-License-Identifier: Apache-2.0
"""What a small network learns of drum hits in so many CPU minutes, view by view: the learning curves of docs/views.md.

    python bench/learning.py AUDIO WORK --view mel --minutes 10           # one run, or its continuation
    python bench/learning.py AUDIO WORK --table                           # what there is, as markdown

AUDIO is the folder of drums (class folders of one-shots and ../index.csv, which names each file's kit). WORK keeps the
two archives, each run's state and its curve, a line of JSON for each measurement; a run goes on where it stopped. The
table takes a run that WORK doesn't have from docs/views/measured, where bench/views.py keeps the curves.

Protocol: 22 050 Hz, the first 8 192 samples after the silence at the start, levels as recorded; the kits in HELD_OUT,
which hold hits of every class, are never trained on. The same networks, numbers and seed for every view. Time is the
CPU time of the one thread that trains (building the batch, views, augmentation and all; not the measuring), so that
others on the machine don't count. Every minute 200 sounds of the running mean of the generator, seeds 0 to 199, against
the held-out hits: kernel distance (x100) on four descriptions that are blind to different things (spect/measures/).

gamma, R1's weight, follows the view's scaling where --gamma doesn't say: 1 for companded coefficients and waveforms,
10 for standardised log magnitudes. R1 takes D's gradient with respect to the picture. Of the same pictures k times as
large it is 1/k as large, so that the same penalty wants k^2 times gamma. Over these train hits a companded channel has
a deviation of .17 to .21 (M; S .03 to .04; all together .12 to .15), a waveform .11, a standardised level 1/3 by
construction (3 deviations become 1): 2 to 3 times as large, 4 to 9 times gamma. The name of a run ends in its gamma
where that isn't 1.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.pages.hits import MEASURES, Scores, all_anchors, prepare, real_sounds
from bench.pages.learned import table
from bench.pages.measured import VIEWS, curves, numbers
from patches.runs import tensorfile
from patches.runs.assemble import Assembly, assemble
from patches.runs.options import resolve
from patches.views import View, kind_of
from spect.measures import levels
from stylegan3.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[1]
GAMMAS = {"standard": 10.0}  # by scaling; of the others: 1
SOUNDS = 200
EVERY_SECONDS = 60.0
NUMBERS = {"batch": 16, "batch_gpu": 16, "cbase": 2048, "cmax": 96, "map_depth": 2, "dlr": 0.002}


@dataclass(frozen=True)
class Experiment:
    """One run: a view with its parameters and scaling, a configuration, a seed, perhaps a precision."""

    view: str
    arguments: str
    scaling: str
    cfg: str
    seed: int
    gamma: float = 1.0
    precision: str = "auto"

    @property
    def name(self) -> str:
        parts = (self.view, self.arguments.replace("=", "").replace(",", "-"), self.scaling, self.cfg, f"s{self.seed}")
        parts += (f"gamma{self.gamma:g}" if self.gamma != 1 else "", self.precision)
        return "_".join(part for part in parts if part not in ("", "auto"))


def generated(generator: Any, view: View, count: int) -> Iterator[Tensor]:
    """Give the sounds of seeds 0 to count - 1, 25 at a time. Shape: [25, 2, L]."""
    for start in range(0, count, 25):
        seeds = range(start, min(start + 25, count))
        drawn = [torch.Generator().manual_seed(seed) for seed in seeds]
        z = torch.stack([torch.randn(generator.spec.z_dim, generator=rng) for rng in drawn])
        noise = torch.stack([torch.randn(generator.noise_size, generator=rng) for rng in drawn])
        with torch.no_grad():
            picture = generator(z, noise=noise if generator.noise_size else "const")
            yield view.sound(picture, list(seeds)).float()


def measured(trainer: Trainer, view: View, scores: Scores) -> dict[str, Any]:
    """Measure the running mean of the generator."""
    sounds = torch.cat(list(generated(trainer.mean_generator, view, SOUNDS)))
    found = levels(sounds)
    finite = bool(found["finite"].all())
    return {
        "kimg": trainer.images / 1000,
        "finite": finite,
        "rms_db": float(found["rms_db"].median()),
        **(scores(sounds) if finite else {}),
    }


def assembled(experiment: Experiment, work: Path) -> Assembly:
    """Build the training."""
    options = {
        "outdir": str(work), "data": str(work / "train.zip"), "cfg": experiment.cfg, "view": experiment.view,
        "view_args": experiment.arguments, "scaling": experiment.scaling, "seed": experiment.seed, "aug": "noaug",
        "kimg": 1e6, "gamma": experiment.gamma, "precision": experiment.precision, **NUMBERS,
    }  # fmt: skip
    return assemble(resolve(options, None), torch.device("cpu"))


def learn(experiment: Experiment, work: Path, minutes: float) -> None:
    """Train for so many CPU minutes in all, going on where an earlier call stopped."""
    assembly = assembled(experiment, work)
    view = assembly.setup.dataset.view
    trainer = Trainer(assembly.setup)
    heldout = real_sounds(work / "heldout.zip", view.samples)
    scores = Scores(heldout, view.sample_rate)
    state, curve = work / f"{experiment.name}.safetensors", work / f"{experiment.name}.jsonl"
    spent = 0.0
    if state.exists():
        tensors, header = tensorfile.load(state)
        trainer.load_state(tensors)
        spent = header["seconds"]
        kept = [row for row in map(json.loads, curve.read_text().splitlines()) if row["seconds"] <= spent + 1e-6]
        if not MEASURES.keys() <= kept[-1].keys():  # a measure that is newer than the run
            kept[-1] |= measured(trainer, view, scores)
        curve.write_text("".join(json.dumps(row) + "\n" for row in kept))
    else:
        curve.unlink(missing_ok=True)
        assembly.recipe.prepare(trainer)
        note(curve, {"seconds": 0.0, "shape": view.shape, **measured(trainer, view, scores)})
    source = trainer.batches()
    while spent < 60 * minutes:
        goal = min(60 * minutes, EVERY_SECONDS * (spent // EVERY_SECONDS + 1))
        while spent < goal:
            began = time.process_time()
            trainer.step(*next(source))
            spent += time.process_time() - began
        note(curve, {"seconds": spent, "shape": view.shape, **measured(trainer, view, scores)})
        tensorfile.save(state, trainer.state(), {"kind": "training-state", "seconds": spent})


def note(curve: Path, row: dict[str, Any]) -> None:
    """Add a line to a curve."""
    with open(curve, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    figures = "  ".join(f"{name} {row[name]:.2f}" for name in MEASURES if name in row)
    print(f"{curve.stem}: {row['seconds'] / 60:.1f} min  {row['kimg']:.2f} kimg  {figures}", flush=True)


def suited_gamma(view: str, scaling: str) -> float:
    """Return R1's weight for a view's pictures, by the size that its scaling gives them."""
    return GAMMAS.get(kind_of(view).scaling if scaling == "auto" else scaling, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--view", default="cmyk")
    parser.add_argument("--view-args", default="", metavar="K=V,...")
    parser.add_argument("--scaling", default="auto")
    parser.add_argument("--cfg", default="stylegan2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gamma", type=float, help="R1's weight; the default follows the view's scaling")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--table", action="store_true", help="print what there is and stop")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.work.mkdir(parents=True, exist_ok=True)
    if given.table:
        print(told(given.audio, given.work))
        return
    prepare(given.audio, given.work.resolve())
    gamma = suited_gamma(given.view, given.scaling) if given.gamma is None else given.gamma
    experiment = Experiment(given.view, given.view_args, given.scaling, given.cfg, given.seed, gamma, given.precision)
    learn(experiment, given.work.resolve(), given.minutes)


def told(audio: Path, work: Path, kept: Path = VIEWS) -> str:
    """Lay out what there is, here and kept from former machines."""

    def prepared() -> Path:
        prepare(audio, work.resolve())
        return work

    found = curves(work, kept)
    references = numbers("anchors.json", work, kept)
    all_anchors(found, references, prepared)
    return "\n".join(table(found, references, list(MEASURES)))


if __name__ == "__main__":
    main()
