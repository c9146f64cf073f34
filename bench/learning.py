# SPDX-License-Identifier: Apache-2.0
"""What a small network learns of drum hits in so many CPU minutes, view by view: the learning curves of docs/views.md.

    python bench/learning.py AUDIO WORK --view mel --minutes 10           # one run, or its continuation
    python bench/learning.py AUDIO WORK --table                           # what there is, as markdown

AUDIO is the folder of drums (class folders of one-shots and ../index.csv, which names each file's kit). WORK keeps the
two archives, each run's state and its curve, a line of JSON for each measurement; a run goes on where it stopped.

Protocol: 22 050 Hz, the first 8 192 samples after the silence at the start, levels as recorded; the kits in HELD_OUT,
which hold hits of every class, are never trained on. The same networks, numbers and seed for every view. Time is the
CPU time of the one thread that trains (building the batch, views, augmentation and all; not the measuring), so that
others on the machine don't count. Every minute 200 sounds of the running mean of the generator, seeds 0 to 199, against
the held-out hits: kernel distance (x100) on three descriptions that are blind to different things (spect/measures.py).
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from patches.runs import tensorfile
from patches.runs.assemble import Assembly, assemble
from patches.runs.options import resolve
from patches.views import View
from spect.archive.reader import Archive
from spect.measures import levels, log_mel_statistics, stereo_and_level, waveform_features
from stylegan3.metrics import kad
from stylegan3.training.data import batches
from stylegan3.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[1]
RATE, RESOLUTION = 22050, "64x64"
HELD_OUT = ("ColomboAcousticDrumkit", "Millo-Drums_v.1", "VariBreaks")
MEASURES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "log-mel": log_mel_statistics,
    "waveform": waveform_features,
    "waveform of mid": lambda sounds, rate: waveform_features(sounds.mean(1, keepdim=True), rate),
    "stereo+level": stereo_and_level,
}
EXACT = {"cmyk", "lapped", "stft"}
SOUNDS = 200
EVERY_SECONDS = 60.0
NUMBERS = {"batch": 16, "batch_gpu": 16, "cbase": 2048, "cmax": 96, "map_depth": 2, "dlr": 0.002}


@dataclass(frozen=True)
class Experiment:
    """One run: a view with its parameters and scaling, a configuration, a seed."""

    view: str
    arguments: str
    scaling: str
    cfg: str
    seed: int
    gamma: float = 1.0

    @property
    def name(self) -> str:
        parts = (self.view, self.arguments.replace("=", "").replace(",", "-"), self.scaling, self.cfg, f"s{self.seed}")
        parts += (f"gamma{self.gamma:g}" if self.gamma != 1 else "",)
        return "_".join(part for part in parts if part not in ("", "auto"))


def prepare(audio: Path, work: Path) -> None:
    """Build train.zip and heldout.zip from links to the files of each set of kits."""
    with open(audio.parent / "index.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith(f"{audio.name}/")]
    for row in rows:
        part = "heldout" if row["source"] in HELD_OUT else "train"
        link = work / part / Path(row["file"]).relative_to(audio.name)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to((audio.parent / row["file"]).resolve())
    for part in ("train", "heldout"):
        if not (work / f"{part}.zip").exists():
            options = (f"--resolution={RESOLUTION}", f"--sample-rate={RATE}", "--trim-start", "--workers=1")
            command = [sys.executable, "dataset_tool_wav.py", f"--source={work / part}", f"--dest={work / part}.zip"]
            subprocess.run([*command, *options], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def real_sounds(path: Path, samples: int) -> Tensor:
    """Decode an archive's sounds, as long as a view's. Shape: [N, 2, samples]."""
    archive = Archive.open(path)
    stored = archive.representation
    return stored.decode(torch.from_numpy(archive.canvases(range(len(archive)))))[..., :samples]


class Scores:
    """Kernel distances to the held-out hits."""

    def __init__(self, heldout: Tensor, rate: int) -> None:
        self.rate = rate
        self.features = {name: measure(heldout, rate) for name, measure in MEASURES.items()}

    def __call__(self, sounds: Tensor) -> dict[str, float]:
        return {name: kad(self.features[name], measure(sounds, self.rate)) for name, measure in MEASURES.items()}


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
        "kimg": 1e6, "gamma": experiment.gamma, **NUMBERS,
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
    source = batches(assembly.setup.dataset, NUMBERS["batch"], experiment.seed, trainer.images, 0)
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


def anchors(work: Path, views: Iterable[str]) -> dict[str, dict[str, float]]:
    """Score the train hits against the held-out ones, as they are, through each view, and with noise at 20 dB."""
    train, heldout = (real_sounds(work / f"{part}.zip", 8192) for part in ("train", "heldout"))
    scores = Scores(heldout, RATE)
    noise = torch.randn(train.shape, generator=torch.Generator().manual_seed(0))
    level = 0.1 * train.square().mean((1, 2), keepdim=True).sqrt()
    found = {"train hits": scores(train), "train hits with white noise at 20 dB": scores(train + level * noise)}
    archive = Archive.open(work / "train.zip")
    canvases = torch.from_numpy(archive.canvases(range(len(archive))))
    for name in views:
        view = View.fit(archive, name)
        with torch.no_grad():
            found[f"train hits through {name}"] = scores(view.sound(view.picture(archive.representation, canvases)))
    return found


def table(work: Path) -> str:
    """Lay the ends of all curves out as markdown."""
    lines = [
        "| run | C x F x T | CPU min | kimg | " + " | ".join(MEASURES) + " |",
        "|---|---|---|---|" + "---|" * len(MEASURES),
    ]
    curves = {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in work.glob("*.jsonl")}
    views = sorted({name.split("_")[0] for name in curves} - EXACT)
    for name, row in anchors(work, views).items():
        lines.append(f"| {name} | | | | " + " | ".join(f"{row[measure]:.2f}" for measure in MEASURES) + " |")
    for name, rows in sorted(curves.items()):
        shape = "x".join(map(str, rows[-1]["shape"]))
        figures = " | ".join(late(rows, measure) for measure in MEASURES)
        lines.append(f"| {name} | {shape} | {rows[-1]['seconds'] / 60:.1f} | {rows[-1]['kimg']:.1f} | {figures} |")
    return "\n".join(lines)


def late(rows: list[dict[str, Any]], measure: str) -> str:
    """Give the mean of a curve's last three measurements, their spread, and what the untrained network scored."""
    values = [row[measure] for row in rows[-3:] if measure in row]
    if not values:
        return "not measured"
    untrained = f"; untrained {rows[0][measure]:.1f}" if measure in rows[0] else ""
    return f"{sum(values) / len(values):.2f} ({min(values):.1f} to {max(values):.1f}{untrained})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--view", default="cmyk")
    parser.add_argument("--view-args", default="", metavar="K=V,...")
    parser.add_argument("--scaling", default="auto")
    parser.add_argument("--cfg", default="stylegan2")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gamma", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--table", action="store_true", help="print what there is and stop")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.work.mkdir(parents=True, exist_ok=True)
    prepare(given.audio, given.work.resolve())
    if given.table:
        print(table(given.work))
        return
    experiment = Experiment(given.view, given.view_args, given.scaling, given.cfg, given.seed, given.gamma)
    learn(experiment, given.work.resolve(), given.minutes)


if __name__ == "__main__":
    main()
