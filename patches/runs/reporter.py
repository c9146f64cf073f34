# SPDX-License-Identifier: Apache-2.0
"""What a run tells: one aligned line a tick, stats.jsonl, TensorBoard; nothing is sent anywhere."""

import json
import math
import resource
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from patches.console import silence_stdout
from patches.errors import UserError
from patches.runs.directory import ROWS
from stylegan3.training.gradients import NONFINITE
from stylegan3.training.loop import Progress

TOLD_GAIN_DB = -0.005
"""From here on a sheet's gain is told; less is rounding."""


class Log:
    """Lines to the terminal and to log.txt; who holds it is the one process that may write to the run.

    Raises:
        UserError: another process holds it.
    """

    def __init__(self, path: Path, echo: Callable[[str], None]) -> None:
        self._file, self._echo = open(path, "a", encoding="utf-8"), echo  # noqa: SIM115 (closed below)
        self._one = Lock()  # files are written, and told of, beside the training
        if not locked(self._file.fileno()):
            self._file.close()
            raise UserError(f"{path.parent}: another process is training this run; wait for it, or stop it")

    def __call__(self, line: str) -> None:
        """Say one line; where nobody reads the terminal's any more (`| head`), the training goes on all the same."""
        with self._one:
            try:
                self._echo(line)
            except BrokenPipeError:
                silence_stdout()
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close log.txt."""
        self._file.close()


def locked(handle: int) -> bool:
    """Lock an open file for this process, until it closes it or ends however it ends; False where another one has."""
    try:
        import fcntl
    except ImportError:  # a system without
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network folder that knows no locks
        return True
    return True


def duration(seconds: float) -> str:
    """Return a time as 1d 03h, 2h 05m, 3m 07s or 12s."""
    whole = max(0, round(seconds))
    for big, small, unit in ((86400, 3600, "dh"), (3600, 60, "hm"), (60, 1, "ms")):
        if whole >= big:
            return f"{whole // big}{unit[0]} {whole % big // small:02d}{unit[1]}"
    return f"{whole}s"


def memory_gb(device: torch.device) -> float:
    """Return the peak memory so far: of the card, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def tick_line(row: Mapping[str, Any], goal_kimg: float, warnings: Sequence[str] = ()) -> str:
    """Return a tick's aligned line, with what a person should look at at its end."""
    digits = 1 if goal_kimg >= 10 else 3
    if overflown := row.get("nonfinite_gradients", 0.0):
        warnings = [*warnings, f"{100 * overflown:.2g}% of the gradients overflowed (--precision=bf16 has more room)"]
    look = f"  LOOK: {'; '.join(warnings)}" if warnings else ""
    share = row["other_seconds"] / row["seconds"] if row["seconds"] else 0.0  # a tick's own work goes on, too
    left = (goal_kimg - row["kimg"]) * row["s_per_kimg"] * (1 + share)
    r1 = "     --" if row["r1"] is None else f"{row['r1']:7.3f}"
    return (
        f"tick {row['tick']:<5d} kimg {row['kimg']:>8.{digits}f}/{goal_kimg:<g}  {row['s_per_kimg']:>7.1f} s/kimg  "
        f"left {duration(left):>7}  G {row['G_loss']:5.2f}  D {row['D_loss']:5.2f}  r1 {r1}  "
        f"sign {row['sign']:+.2f}  p {row['p']:.3f}  level {row['level_db']:+5.1f} dB  div {row['diversity']:4.2f}  "
        f"silent {row['silent']:4.0%}  mem {row['memory_gb']:4.1f} GB{look}"
    )


def sheet_notes(sheet: Mapping[str, Any]) -> list[str]:
    """Return what was done to a sheet's sounds so that they fit a file."""
    notes = []
    if sheet.get("gain_db", 0.0) < TOLD_GAIN_DB:
        notes.append(f"the sheet's sounds are lowered by {-sheet['gain_db']:.1f} dB: the loudest went over full scale")
    if sheet.get("not_finite", 0):
        notes.append(f"{sheet['not_finite']} of the sheet's sounds held NaN or Inf and are written as silence")
    return notes


class Reporter:
    """Writes stats.jsonl and TensorBoard events into a run's folder.

    Args:
        images: pictures shown so far; events of what came after them, before the run was ended, are hidden.
        seconds: that the run has lasted before.
    """

    def __init__(self, folder: Path, images: int, seconds: float = 0.0) -> None:
        self._path, self.seconds = folder / ROWS, seconds
        self._board = SummaryWriter(str(folder), purge_step=images + 1 if images else None)

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._board.close()

    def row(self, progress: Progress, p: float, device: torch.device) -> dict[str, Any]:
        """Return a tick's numbers but those of its pictures (Health); None where a tick has none of that."""
        stats = progress.stats
        self.seconds += progress.seconds + progress.other_seconds

        def mean(name: str) -> float | None:
            return stats[name]["mean"] if name in stats else None

        return {
            "tick": progress.tick,
            "images": progress.images,
            "kimg": progress.images / 1000,
            "s_per_kimg": progress.seconds / max(progress.images_since, 1) * 1000,
            "seconds": progress.seconds,
            "data_seconds": progress.data_seconds,
            "other_seconds": progress.other_seconds,
            "total_seconds": self.seconds,
            "G_loss": mean("Loss/G/loss"),
            "D_loss": mean("Loss/D/loss"),
            "r1": mean("Loss/r1 penalty"),
            "sign": mean("Loss/signs/real"),
            "p": p,
            "nonfinite_gradients": max((stats[n]["mean"] for n in stats if n.startswith(NONFINITE)), default=0.0),
            "memory_gb": memory_gb(device),
            "stats": {name: dict(values) for name, values in stats.items()},
        }

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row to stats.jsonl and its scalars to TensorBoard (step = pictures shown)."""
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, sort_keys=True) + "\n")
        step = row["images"]
        self.scalars({f"Run/{name}": value for name, value in row.items() if isinstance(value, float)}, step)
        self.scalars({name: values["mean"] for name, values in row["stats"].items()}, step)

    def scalars(self, values: Mapping[str, float], images: int) -> None:
        """Put numbers that belong to a moment of the run on TensorBoard; what isn't finite is left out."""
        for name, value in values.items():
            if math.isfinite(value):
                self._board.add_scalar(name, value, images)
        self._board.flush()

    def show(self, name: str, sheet: Mapping[str, Any], images: int) -> None:
        """Put a sheet's picture [H, W, 3] and sound ([2, L] at its rate, TensorBoard's are mono) on TensorBoard."""
        if "picture" in sheet:
            self._board.add_image(name, sheet["picture"], images, dataformats="HWC")
        if "sound" in sheet:
            mono = torch.as_tensor(sheet["sound"]).mean(0, keepdim=True)
            self._board.add_audio(name, mono, images, sample_rate=sheet["sample_rate"])
        self._board.flush()
