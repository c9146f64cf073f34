# SPDX-License-Identifier: Apache-2.0
"""What a run tells: one aligned line a tick, stats.jsonl, TensorBoard; nothing is sent anywhere."""

import json
import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from patches.runs.health import Health
from stylegan3.training.loop import Progress


class Log:
    """Lines to the terminal and to log.txt."""

    def __init__(self, path: Path, echo: Callable[[str], None]) -> None:
        self._file, self._echo = open(path, "a", encoding="utf-8"), echo  # noqa: SIM115 (closed below)

    def __call__(self, line: str) -> None:
        """Say one line."""
        self._echo(line)
        self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close log.txt."""
        self._file.close()


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
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def tick_line(row: Mapping[str, Any], goal_kimg: float) -> str:
    """Return a tick's aligned line."""
    left = (goal_kimg - row["kimg"]) * row["s_per_kimg"]
    return (
        f"tick {row['tick']:<5d} kimg {row['kimg']:>8.1f}/{goal_kimg:<g}  {row['s_per_kimg']:>7.1f} s/kimg  "
        f"left {duration(left):>7}  G {row['G_loss']:5.2f}  D {row['D_loss']:5.2f}  r1 {row['r1']:7.3f}  "
        f"sign {row['sign']:+.2f}  p {row['p']:.3f}  level {row['level_db']:+5.1f} dB  div {row['diversity']:4.2f}  "
        f"silent {row['silent']:4.0%}  mem {row['memory_gb']:4.1f} GB"
    )


class Reporter:
    """Writes stats.jsonl and TensorBoard events into a run's folder."""

    def __init__(self, folder: Path, images: int) -> None:
        self._path = folder / "stats.jsonl"
        self._board = SummaryWriter(str(folder), purge_step=images)

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._board.close()

    def row(
        self, progress: Progress, health: Health, p: float, device: torch.device, total_seconds: float
    ) -> dict[str, Any]:
        """Return a tick's numbers."""
        stats = progress.stats

        def mean(name: str) -> float:
            return stats[name]["mean"] if name in stats else 0.0

        return {
            "tick": progress.tick,
            "images": progress.images,
            "kimg": progress.images / 1000,
            "s_per_kimg": progress.seconds / max(progress.images_since, 1) * 1000,
            "seconds": progress.seconds,
            "data_seconds": progress.data_seconds,
            "total_seconds": total_seconds,
            "G_loss": mean("Loss/G/loss"),
            "D_loss": mean("Loss/D/loss"),
            "r1": mean("Loss/r1 penalty"),
            "sign": mean("Loss/signs/real"),
            "p": p,
            "level_db": health.level_db,
            "diversity": health.diversity,
            "silent": health.silent,
            "nonfinite": health.nonfinite,
            "memory_gb": memory_gb(device),
            "stats": {name: dict(values) for name, values in stats.items()},
        }

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row to stats.jsonl and its scalars to TensorBoard (step = images)."""
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, sort_keys=True) + "\n")
        step = row["images"]
        for name, value in row.items():
            if isinstance(value, float) and np.isfinite(value):
                self._board.add_scalar(f"Run/{name}", value, step)
        for name, values in row["stats"].items():
            self._board.add_scalar(name, values["mean"], step)
        self._board.flush()

    def show(self, name: str, sheet: Mapping[str, Any], images: int) -> None:
        """Put a sheet's picture [H, W, 3] and sound ([2, L] at its rate) on TensorBoard."""
        if "picture" in sheet:
            self._board.add_image(name, sheet["picture"], images, dataformats="HWC")
        if "sound" in sheet:
            mono = torch.as_tensor(sheet["sound"]).mean(0, keepdim=True)
            self._board.add_audio(name, mono, images, sample_rate=sheet["sample_rate"])
