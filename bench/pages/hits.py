# SPDX-License-Identifier: Apache-2.0
"""The drum hits that small networks learn, and how sounds are scored against those that they never saw.

22 050 Hz, the first 8 192 samples after the silence at the start, levels as recorded; the kits in HELD_OUT, which hold
hits of every class, are the reference. Anchors are the scores of real hits, plain, noisy, and through views.
"""

import csv
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from patches.views import View
from spect.archive.reader import Archive
from spect.measures import log_mel_statistics, stereo_and_level, waveform_features
from stylegan3.metrics import kad

ROOT = Path(__file__).resolve().parents[2]
RATE, RESOLUTION = 22050, "64x64"
HELD_OUT = ("ColomboAcousticDrumkit", "Millo-Drums_v.1", "VariBreaks")
MEASURES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "log-mel": log_mel_statistics,
    "waveform": waveform_features,
    "waveform of mid": lambda sounds, rate: waveform_features(sounds.mean(1, keepdim=True), rate),
    "stereo+level": stereo_and_level,
}
EXACT = {"cmyk", "lapped", "stft"}
TRAIN_HITS, NOISY_HITS = "train hits", "train hits with white noise at 20 dB"


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


def anchors(work: Path, views: Iterable[str]) -> dict[str, dict[str, float]]:
    """Score the train hits against the held-out ones, as they are, through each view, and with noise at 20 dB."""
    train, heldout = (real_sounds(work / f"{part}.zip", 8192) for part in ("train", "heldout"))
    scores = Scores(heldout, RATE)
    noise = torch.randn(train.shape, generator=torch.Generator().manual_seed(0))
    level = 0.1 * train.square().mean((1, 2), keepdim=True).sqrt()
    found = {TRAIN_HITS: scores(train), NOISY_HITS: scores(train + level * noise)}
    archive = Archive.open(work / "train.zip")
    canvases = torch.from_numpy(archive.canvases(range(len(archive))))
    for name in views:
        view = View.fit(archive, name)
        with torch.no_grad():
            found[f"{TRAIN_HITS} through {name}"] = scores(view.sound(view.picture(archive.representation, canvases)))
    return found


def all_anchors(curves: Iterable[str], found: dict[str, dict[str, float]], prepared: Callable[[], Path]) -> bool:
    """Score what `found` lacks of the anchors that a table of these runs shows; tells whether anything was scored.

    Args:
        prepared: gives the folder of the archives; called only where there is something to score.
    """
    views = sorted({name.split("_")[0] for name in curves} - EXACT)
    wanted = {TRAIN_HITS, NOISY_HITS, *(f"{TRAIN_HITS} through {view}" for view in views)}
    if all(found.get(name, {}).keys() >= MEASURES.keys() for name in wanted):
        return False
    found |= anchors(prepared(), views)
    return True
