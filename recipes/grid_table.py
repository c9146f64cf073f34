# SPDX-License-Identifier: Apache-2.0
"""The end of recipes/grid.sh: scores of every snapshot in a folder of runs, as one table and one plot.

    python recipes/grid_table.py trained_networks/grid --data datasets/mixsets.zip --sounds 200

Sounds of seeds 0, 1, ... of each snapshot against the archive's held-out sounds (its train sounds where nothing is held
out), cut to the view's length: kernel distance x 100 (stylegan3/metrics) on three descriptions (spect/measures).
Distances compare within one table only. Scores are kept in grid_scores.json, by the hash of the snapshot and of
the data: what was scored once isn't scored again.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.curves import svg
from patches.conditions import Conditions
from patches.console import EXIT_INTERRUPTED, EXIT_MISTAKE, choose_device, one_line, progress
from patches.errors import UserError
from patches.generate.network import Network, open_network
from patches.generate.synthesis import draw
from patches.runs import tensorfile
from patches.runs.directory import NETWORK, OPTIONS, Run, runs
from patches.views import View
from spect.archive.reader import Archive
from spect.files import write_text
from spect.measures import FEATURE_VERSION, levels, log_mel_statistics, stereo_and_level, waveform_features
from spect.representation import of_length
from stylegan3.metrics import kad

MEASURES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "log-mel": log_mel_statistics,
    "waveform": waveform_features,
    "stereo+level": stereo_and_level,
}
SAMPLES_AT_A_TIME = 2**22


@dataclass(frozen=True)
class Cell:
    """One run of the grid: its options and what its snapshots scored, by kimg."""

    run: Run
    rate: float
    gamma: float
    snapshots: tuple[tuple[float, Path], ...]

    @classmethod
    def of(cls, run: Run) -> "Cell":
        """Read a run's folder."""
        options = run.options()["options"]
        found = sorted(run.path.glob(f"{NETWORK}*.safetensors"))
        numbers = [float(path.stem.removeprefix(NETWORK)) for path in found]
        return cls(run, float(options["glr"]), float(options["gamma"]), tuple(zip(numbers, found, strict=True)))

    @property
    def name(self) -> str:
        """As the plot calls it."""
        return f"lr {self.rate:g}, gamma {self.gamma:g}"

    @property
    def seconds_per_kimg(self) -> float:
        """Over the whole run; NaN where it has no tick yet."""
        rows = self.run.rows()
        return float(rows[-1]["total_seconds"]) / float(rows[-1]["kimg"]) if rows else float("nan")


class Judge:
    """Scores sets of sounds against an archive's held-out ones, as long as a view's.

    Args:
        count: sounds of each side at most.
    """

    def __init__(self, archive: Archive, view: View, count: int) -> None:
        self.archive, self.view, self.count = archive, view, count
        self.labelled = np.random.default_rng(0).choice(archive.train, count)  # whose labels generated sounds have
        self.heldout = len(archive.holdout) >= 2
        self.reference = self._features(self.real(archive.holdout if self.heldout else archive.train))

    def real(self, indices: np.ndarray) -> Iterator[Tensor]:
        """Give sounds of the archive, evenly spread. Shape: [n, 2, L] each."""
        chosen = np.asarray(indices)[np.unique(np.linspace(0, len(indices) - 1, self.count).astype(int))]
        for part in np.array_split(chosen, -(-len(chosen) // self.batch)):
            sounds = self.archive.representation.decode(torch.from_numpy(self.archive.canvases(part)))
            yield of_length(sounds, self.view.samples)

    def through_the_view(self, indices: np.ndarray) -> Iterator[Tensor]:
        """Give the same sounds, there and back. Shape: [n, 2, L] each."""
        for sounds in self.real(indices):
            picture = self.view.to_model(self.view.representation.encode(sounds))
            yield self.view.sound(picture, list(range(len(sounds)))).float()

    def generated(self, network: Network, conditions: Conditions) -> Iterator[Tensor]:
        """Give sounds of seeds 0, 1, ...; labels as the train sounds have them. Shape: [n, 2, L] each."""
        generator, device = network.generator, network.device
        for start in range(0, self.count, self.batch):
            seeds = list(range(start, min(start + self.batch, self.count)))
            drawn = [draw(seed, generator.spec.z_dim, generator.noise_size) for seed in seeds]
            z, noise = (torch.stack(values).to(device) for values in zip(*drawn, strict=True))
            items = self.labelled[seeds]
            c = torch.from_numpy(conditions.of_items(self.archive, items)).to(device) if conditions.size else None
            with torch.inference_mode():
                picture = generator(z, c, noise=noise if generator.noise_size else "const")
                yield network.view.sound(picture, seeds).float().cpu()

    def score(self, sounds: Iterator[Tensor]) -> dict[str, float] | None:
        """Return the kernel distances; None where a sound isn't finite."""
        features = self._features(sounds)
        return features and {name: kad(self.reference[name], features[name]) for name in MEASURES}

    @property
    def batch(self) -> int:
        """Sounds at a time."""
        return max(1, SAMPLES_AT_A_TIME // self.view.samples)

    def _features(self, sounds: Iterator[Tensor]) -> dict[str, Tensor] | None:
        parts: dict[str, list[Tensor]] = {name: [] for name in MEASURES}
        for some in sounds:
            if not bool(levels(some)["finite"].all()):
                return None
            for name, measure in MEASURES.items():
                parts[name].append(measure(some, self.view.sample_rate))
        return {name: torch.cat(values) for name, values in parts.items()}


Scores = dict[str, float] | None
"""Kernel distances by measure; None: not finite."""


class Kept:
    """Scores that were taken before, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, Scores] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def get(self, what: Sequence[Any], take: Callable[[], Scores]) -> Scores:
        """Return the scores of `what`, taken now if they never were."""
        key = hashlib.sha256(json.dumps(what).encode()).hexdigest()
        if key not in self._known:
            self._known[key] = take()
            write_text(self.path, json.dumps(self._known, indent=1) + "\n")
        return self._known[key]


@dataclass(frozen=True)
class Grid:
    """All cells with their scores, and those of real sounds, against which they are read."""

    cells: dict[Cell, dict[float, Scores]]
    real: dict[str, Scores]
    judge: Judge


def scored(folder: Path, archive: Archive, count: int, device: torch.device) -> Grid:
    """Score every snapshot in a folder of runs.

    Raises:
        UserError: no run, a damaged one, or runs that learned sounds of different lengths.
    """
    cells = [cell for cell in map(Cell.of, filter(_begun, runs(folder))) if cell.snapshots]
    cells.sort(key=lambda cell: (cell.rate, -cell.gamma))
    view = _common_view(folder, cells)
    judge, kept = Judge(archive, view, count), Kept(folder / "grid_scores.json")
    common = [FEATURE_VERSION, archive.digest, count]
    anchors = {"train sounds": judge.real, "train sounds through the view": judge.through_the_view}
    real = {
        name: kept.get([*common, name, view.to_dict()], lambda sounds=sounds: judge.score(sounds(archive.train)))
        for name, sounds in anchors.items()
        if judge.heldout
    }
    found: dict[Cell, dict[float, Scores]] = {}
    with progress("scoring", sum(len(cell.snapshots) for cell in cells), "snapshots") as advance:
        for cell in cells:
            for kimg, path in cell.snapshots:
                key = [*common, tensorfile.digest(path)]
                found.setdefault(cell, {})[kimg] = kept.get(key, lambda path=path: _score(judge, path, device))
                advance(1)
    return Grid(found, real, judge)


def _common_view(folder: Path, cells: Sequence[Cell]) -> View:
    if not cells:
        raise UserError(f"{folder}: no run with a snapshot in this folder; recipes/grid.sh makes them")
    views = [open_network(cell.snapshots[-1][1], torch.device("cpu")).view for cell in cells]
    if len({(view.sample_rate, view.samples) for view in views}) > 1:
        raise UserError(f"{folder}: its runs learned sounds of different lengths; score them in folders of their own")
    return views[0]


def _begun(run: Run) -> bool:
    return (run.path / OPTIONS).exists()


def _score(judge: Judge, path: Path, device: torch.device) -> Scores:
    conditions = Conditions.from_list(tensorfile.read_header(path).get("conditions") or [])
    return judge.score(judge.generated(open_network(path, device), conditions))


def table(grid: Grid) -> str:
    """Lay the scores out as markdown, best log-mel score first as in the paper: its FID, and the kimg of it."""
    against = "held-out sounds" if grid.judge.heldout else "train sounds: nothing is held out"
    lines = [
        f"Kernel distance x 100 of {grid.judge.count} sounds against {against}; 0 is equal. Best: the snapshot nearest "
        "to them on log-mel.",
        "",
        "| learning rate | gamma | best: kimg | " + " | ".join(MEASURES) + " | last: kimg | log-mel | s/kimg |",
        "|---|---|---|" + "---|" * len(MEASURES) + "---|---|---|",
    ]
    for name, scores in grid.real.items():
        lines.append(f"| {name} | | | " + " | ".join(_figure(scores, measure) for measure in MEASURES) + " | | | |")
    for cell, by_kimg in sorted(grid.cells.items(), key=lambda pair: _best(pair[1])[0]):
        _, kimg = _best(by_kimg)
        figures = " | ".join(_figure(by_kimg[kimg], measure) for measure in MEASURES)
        last = max(by_kimg)
        lines.append(
            f"| {cell.rate:g} | {cell.gamma:g} | {kimg:g} | {figures} | {last:g} | {_figure(by_kimg[last], 'log-mel')} "
            f"| {cell.seconds_per_kimg:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _best(by_kimg: dict[float, Scores]) -> tuple[float, float]:
    """The least log-mel distance, and at which kimg."""
    return min((scores["log-mel"] if scores else float("inf"), kimg) for kimg, scores in by_kimg.items())


def _figure(scores: Scores, measure: str) -> str:
    return "not finite" if scores is None else f"{scores[measure]:.2f}"


def plot(grid: Grid) -> str:
    """Draw each cell's log-mel distance over kimg."""
    curves = {
        cell.name: [(kimg, scores["log-mel"]) for kimg, scores in sorted(by_kimg.items()) if scores]
        for cell, by_kimg in grid.cells.items()
    }
    curves = {name: points for name, points in curves.items() if points}
    return svg(curves, "learning rate x gamma", "kimg", "KAD x 100, log-mel") if curves else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; a user's mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the runs are")
    parser.add_argument("--data", type=Path, required=True, help="the archive that they learned from")
    parser.add_argument("--sounds", type=int, default=200, help="of each snapshot  [default: 200]")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(arguments)
    try:
        grid = scored(given.folder, Archive.open(given.data), max(2, given.sounds), choose_device(given.device))
    except (Exception, KeyboardInterrupt) as error:
        told = one_line(error)
        if told is None:
            raise
        print(f"grid_table.py: {told}", file=sys.stderr)
        return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_MISTAKE
    text = table(grid)
    write_text(given.folder / "grid.md", f"# The grid\n\n{text}\n![learning rate x gamma](grid.svg)\n")
    write_text(given.folder / "grid.svg", plot(grid))
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
