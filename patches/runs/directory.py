# SPDX-License-Identifier: Apache-2.0
"""A run's folder: its name, its files, and what is newer than a state that is gone back to.

    00003-stylegan3-t-europa-gpus1-batch8-gamma8/
        training_options.json  log.txt  stats.jsonl  events.out.tfevents.*  reals.png  reals/*.wav
        fakes000010.png  fakes000010.wav  network-snapshot-000010.safetensors  training-state-000010.safetensors

Between two snapshots (a signal, a time limit) the pictures shown stand with three digits more: 000010.312.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patches.errors import UserError
from patches.runs.options import TrainOptions
from patches.runs.tensorfile import write_text

OPTIONS = "training_options.json"
STATE, NETWORK, FAKES = "training-state-", "network-snapshot-", "fakes"
_NUMBER = r"(\d{6,})(?:\.(\d{3}))?"


def stamp(images: int, *, between: bool = False) -> str:
    """Return the number in a file's name: thousands of pictures, with the rest where it lies between two snapshots."""
    return f"{images // 1000:06d}" + (f".{images % 1000:03d}" if between else "")


@dataclass(frozen=True)
class Run:
    """A run's folder."""

    path: Path

    @classmethod
    def create(cls, outdir: Path, options: TrainOptions) -> "Run":
        """Make the folder of a new run, numbered after those that are there.

        Raises:
            UserError: the folder can't be made or written.
        """
        number = max((int(run.path.name[:5]) for run in runs(outdir)), default=-1) + 1
        path = outdir / f"{number:05d}-{description(options)}"
        try:
            path.mkdir(parents=True)
            write_text(path / ".writable", "")
            (path / ".writable").unlink()
        except OSError as error:
            raise UserError(f"--outdir={outdir}: can't be written ({error.strerror}); give another folder") from error
        return cls(path)

    def options(self) -> dict[str, Any]:
        """Return what training_options.json says.

        Raises:
            UserError: it isn't there or isn't whole.
        """
        path = self.path / OPTIONS
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise UserError(f"{self.path}: not a run of this program ({OPTIONS} is missing or broken)") from error
        return content

    def write_options(self, content: dict[str, Any]) -> None:
        """Write training_options.json."""
        write_text(self.path / OPTIONS, json.dumps(content, indent=2, sort_keys=True) + "\n")

    def file(self, kind: str, images: int, *, between: bool = False) -> Path:
        """Return the path of a state or network snapshot."""
        return self.path / f"{kind}{stamp(images, between=between)}.safetensors"

    def states(self) -> list[Path]:
        """Return the training states, oldest first."""
        return [path for _, path in sorted(self._numbered(STATE))]

    def networks(self) -> list[Path]:
        """Return the network snapshots, oldest first."""
        return [path for _, path in sorted(self._numbered(NETWORK))]

    def _numbered(self, kind: str) -> Iterator[tuple[float, Path]]:
        for path in self.path.glob(f"{kind}*"):
            match = re.fullmatch(rf"{kind}{_NUMBER}\.(safetensors|png|wav)", path.name)
            if match:
                yield int(match[1]) + int(match[2] or 0) / 1000, path

    def between(self) -> list[Path]:
        """Return the states and networks that were written between two snapshots."""
        return [path for kind in (STATE, NETWORK) for _, path in self._numbered(kind) if path.name.count(".") == 2]

    def cut_after(self, state: Path, images: int) -> list[str]:
        """Delete what is newer than a state that the run goes on from; return the names.

        Snapshots, sheets and log rows of a part that is trained again would else stand beside their successors.
        """
        number = _number_of(state)
        newer = [path for kind in (STATE, NETWORK, FAKES) for n, path in self._numbered(kind) if n > number]
        for path in newer:
            path.unlink()
        self._cut_rows(images)
        for leftover in self.path.glob(".*.tmp"):
            leftover.unlink()
        return sorted(path.name for path in newer)

    def _cut_rows(self, images: int) -> None:
        path = self.path / "stats.jsonl"
        if not path.exists():
            return
        rows = [line for line in path.read_text(encoding="utf-8").splitlines() if _row_images(line) <= images]
        write_text(path, "".join(f"{line}\n" for line in rows))


def _row_images(line: str) -> float:
    try:
        return float(json.loads(line)["images"])
    except (json.JSONDecodeError, KeyError):
        return float("inf")  # half a row, from a process that was killed


def _number_of(path: Path) -> float:
    match = re.search(rf"{_NUMBER}\.safetensors$", path.name)
    if match is None:
        raise UserError(f"{path}: not named as a snapshot or a state of a run")
    return int(match[1]) + int(match[2] or 0) / 1000


def description(options: TrainOptions) -> str:
    """Return a run's name without its number."""
    parts = [options.cfg, Path(options.data).stem, f"gpus{options.gpus}", f"batch{options.batch}"]
    parts += [f"gamma{options.gamma:g}", *([options.desc] if options.desc else [])]
    return re.sub(r"[^A-Za-z0-9_.+=#-]", "_", "-".join(parts))


def runs(outdir: Path) -> list[Run]:
    """Return the runs in a folder, oldest first."""
    if not outdir.is_dir():
        return []
    return [Run(path) for path in sorted(outdir.iterdir()) if re.match(r"\d{5}-", path.name) and path.is_dir()]
