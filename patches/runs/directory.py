# SPDX-License-Identifier: Apache-2.0
"""A run's folder: its name, its files, and what is newer than a state that is gone back to.

    00003-stylegan3-t-europa-gpus1-batch8-gamma8/
        training_options.json  log.txt  stats.jsonl  events.out.tfevents.*  reals.png  reals/*.wav
        fakes000010.png  fakes000010.wav  network-snapshot-000010.safetensors  training-state-000010.safetensors

Numbers are thousands of pictures shown. Where a file isn't of the first iteration at or past a whole thousand (a run
that was stopped, a tick of less than a thousand) three digits more tell it apart: 000010.312.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patches.data import data_name
from patches.errors import UserError
from patches.runs.options import TrainOptions
from patches.scores.files import cut_rows
from spect.files import remove_partials, write_text

OPTIONS = "training_options.json"
STATE, NETWORK, FAKES = "training-state-", "network-snapshot-", "fakes"
ROWS = "stats.jsonl"
_NUMBER = r"(\d{6,})(?:\.(\d{3}))?"


def stamp(images: int, batch: int) -> str:
    """Return the number in a file's name; no two iterations of a run share one."""
    thousands, rest = divmod(images, 1000)
    return f"{thousands:06d}" if rest < batch else f"{thousands:06d}.{rest:03d}"


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
        while True:
            number = max((int(run.path.name[:5]) for run in runs(outdir)), default=-1) + 1
            path = outdir / f"{number:05d}-{description(options)}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                if path.is_dir():
                    continue  # another run began at this moment: the next number
                raise UserError(f"--outdir={outdir}: is a file; give a folder") from None
            except OSError as error:
                raise UserError(
                    f"--outdir={outdir}: can't be written ({error.strerror}); give another folder"
                ) from error
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

    def file(self, kind: str, number: str) -> Path:
        """Return the path of the state or network snapshot that `stamp` gave a number."""
        return self.path / f"{kind}{number}.safetensors"

    def states(self) -> list[Path]:
        """Return the training states, oldest first."""
        return [path for _, path in sorted(self._numbered(STATE)) if path.suffix == ".safetensors"]

    def _numbered(self, kind: str) -> Iterator[tuple[float, Path]]:
        for path in self.path.glob(f"{kind}*"):
            match = re.fullmatch(rf"{kind}{_NUMBER}\.(safetensors|png|wav)", path.name)
            if match:
                yield int(match[1]) + int(match[2] or 0) / 1000, path

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of stats.jsonl; what a kill left of the last one is passed over."""
        path = self.path / ROWS
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        return [row for line in lines if (row := _row(line)) is not None]

    def cut_after(self, images: int, state: Path | None) -> list[str]:
        """Delete what is newer than a state that the run goes on from; return the names.

        Snapshots, sheets and log rows of a part that is trained again would else stand beside their successors.

        Args:
            state: None: the run begins again.
        """
        newer = self.newer_than(state)
        for path in newer:
            path.unlink()
        self._cut_rows(images)
        remove_partials(self.path)
        return sorted(path.name for path in newer)

    def newer_than(self, state: Path | None) -> list[Path]:
        """Return the snapshots, states and sheets that are newer than a state; None: all."""
        number = -1.0 if state is None else number_of(state)
        return [path for kind in (STATE, NETWORK, FAKES) for n, path in self._numbered(kind) if n > number]

    def _cut_rows(self, images: int) -> None:
        path = self.path / ROWS
        if path.exists():
            kept = [row for row in self.rows() if row["images"] <= images]
            write_text(path, "".join(f"{json.dumps(row, sort_keys=True)}\n" for row in kept))
        cut_rows(self.path, images)


def _row(line: str) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = json.loads(line)
        return row if float(row["images"]) >= 0 else None
    except (ValueError, KeyError, TypeError):
        return None


def number_of(path: Path) -> float:
    """Tell the number in the name of a state or a snapshot: thousands of pictures.

    Raises:
        UserError: it has another name.
    """
    match = re.search(rf"{_NUMBER}\.safetensors$", path.name)
    if match is None:
        raise UserError(f"{path}: not named as a snapshot or a state of a run")
    return int(match[1]) + int(match[2] or 0) / 1000


def description(options: TrainOptions) -> str:
    """Return a run's name without its number."""
    parts = [options.cfg, data_name(options.data), f"gpus{options.gpus}", f"batch{options.batch}"]
    parts += [f"gamma{options.gamma:g}", *([options.desc] if options.desc else [])]
    return re.sub(r"[^A-Za-z0-9_.+=#-]", "_", "-".join(parts))


def check_writable(outdir: Path, option: str = "--outdir") -> None:
    """See, before any work, that something can be made in a folder, which needn't exist yet.

    Raises:
        UserError: it is a file, or may not be written.
    """
    ancestor = next(path for path in (outdir, *outdir.absolute().parents) if path.exists())
    if not ancestor.is_dir():
        raise UserError(f"{option}={outdir}: can't be written ({ancestor} is a file); give another folder")
    if not os.access(ancestor, os.W_OK | os.X_OK):
        raise UserError(f"{option}={outdir}: can't be written (no permission for {ancestor}); give another folder")


def runs(outdir: Path) -> list[Run]:
    """Return the runs in a folder, oldest first."""
    if not outdir.is_dir():
        return []
    return [Run(path) for path in sorted(outdir.iterdir()) if re.match(r"\d{5}-", path.name) and path.is_dir()]
