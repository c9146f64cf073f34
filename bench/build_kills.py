# SPDX-License-Identifier: Apache-2.0
"""Kills -9 while archives are built: does --resume always end at the same bytes, whatever was running when?

    python bench/build_kills.py --kills 300 [--folder DIR] [--seed N] [--files N]

Archives of the same sounds are built, killed at random moments (of the scan, of the pieces, of the end) and continued,
each time with another number of workers, and with pieces in place or in files of their own as on a cluster, until each
is whole; then its sha256 must be that of a build that was never killed. Between kills the target must be absent.
Processes are forked off one that has loaded the libraries. With several workers a kill hits the parent; the workers,
which may write on for a moment, are left to themselves.
"""

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import soundfile
import torch

from spect.cmyk import Cmyk
from spect.dataset.build import build, scan
from spect.dataset.labels import NONE
from spect.dataset.options import Preparation
from spect.dataset.parts import left_behind, parts_folder
from spect.dataset.pool import processes
from spect.dataset.sources import find

RATE, SIDE = 8000, 64
PREPARATION = Preparation(Cmyk(RATE, SIDE, SIDE), slice=True, stride=SIDE * SIDE, peak_db=-1.0)


def render(folder: Path, files: int) -> None:
    """Write noises of many lengths and two rates."""
    rng = np.random.default_rng(0)
    for number in range(files):
        sound = rng.uniform(-0.5, 0.5, (int(rng.integers(2000, 120_000)), 2))
        soundfile.write(folder / f"{number:03d}.wav", sound, RATE if number % 2 else 11025, subtype="PCM_16")


def whole(sounds: Path, dest: Path, workers: int, apart: bool, tell: int | None = None) -> None:
    """Build, going on with what is there; a byte to `tell` after each piece."""
    listing = find(sounds)
    with processes(workers) as executor:
        facts = list(scan(listing.source, listing.names, executor, workers, downmix=False, trim=False))
        build(
            listing.source, facts, NONE, PREPARATION, dest, holdout=0.2, executor=executor, workers=workers,
            far=apart, resume=True, progress=lambda canvases: None if tell is None else told_of(tell),
        )  # fmt: skip


def told_of(tell: int) -> None:
    """Say that a piece is done."""
    os.write(tell, b"p")


def kill_once(sounds: Path, dest: Path, workers: int, apart: bool, early: bool, delay: float) -> bool:
    """Start or go on, and kill `delay` seconds after the start (early) or after the first piece; False if it ended."""
    errors = sounds.with_name("errors.txt")
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setpgid(0, 0)
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 2)
            os.close(told)
            whole(sounds, dest, workers, apart, tell)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(tell)
    if not early:
        os.read(told, 1)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(told)
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"a build could not go on:\n{errors.read_text()}")
    return code != 0


def state(dest: Path) -> str:
    """Say what a kill has hit."""
    if dest.exists():
        return "after the end"
    canvases, _ = left_behind(dest)
    if canvases:
        return "with finished pieces there"
    return "with nothing finished" if parts_folder(dest).exists() else "before the first piece"


def digest(path: Path) -> str:
    """Give the sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Kill and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--workers", type=int, default=3, help="at most; each run draws from 1 to this")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    draw, found, builds, began = random.Random(given.seed), Counter[str](), 0, time.monotonic()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        sounds, dest = Path(name) / "sounds", Path(name) / "a.zip"
        sounds.mkdir()
        render(sounds, given.files)
        start = time.monotonic()
        whole(sounds, Path(name) / "whole.zip", 1, apart=False)
        longest, expected = time.monotonic() - start, digest(Path(name) / "whole.zip")
        while found.total() < given.kills:
            early = draw.random() < 0.2
            workers, apart = draw.randint(1, given.workers), draw.random() < 0.3
            delay = draw.uniform(0, longest)
            if kill_once(sounds, dest, workers, apart, early, delay):
                found[state(dest)] += 1
                if found.total() % 50 == 0:
                    print(f"{found.total()} kills, {builds} archives", flush=True)
            if dest.exists():
                if digest(dest) != expected:
                    raise SystemExit(f"build {builds} differs after {found.total()} kills")
                dest.unlink()
                builds += 1
        whole(sounds, dest, given.workers, apart=False)
        if digest(dest) != expected:
            raise SystemExit("the last build differs")
        left = sorted({path.name for path in Path(name).iterdir()} - {"a.zip", "errors.txt", "sounds", "whole.zip"})
    seconds = time.monotonic() - began
    print(f"{found.total()} kills -9 in {seconds:.0f} s, {builds + 1} archives finished between them:")
    for what, count in found.most_common():
        print(f"  {count:4d} {what}")
    print(f"Every archive has the sha256 of one that was never killed; left beside it: {left or 'nothing'}.")


if __name__ == "__main__":
    main()
