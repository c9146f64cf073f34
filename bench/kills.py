# SPDX-License-Identifier: Apache-2.0
"""Kills -9 during snapshot writing: is any file ever broken, and does the run always go on, to the same end?

    python bench/kills.py --kills 200 [--folder DIR] [--seed N]

A run with a snapshot at every iteration is started again and again with `--resume=auto` and killed at a random moment.
After each kill every file that has its name and was written since the last is read whole, at the end all of them, and
stats.jsonl must have every tick up to the newest state once. Kills that fell into the writing of a snapshot are known
by the half-written neighbour that they leave, or by a network whose state wasn't there yet; only these count towards
--kills. In the end the run is let through and its last network compared with that of a run that was never killed.
Processes are forked off one that has loaded the libraries, so that a kill takes a second.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import click  # noqa: E402
import numpy as np  # noqa: E402
import soundfile  # noqa: E402
import torch  # noqa: E402

import train as script  # noqa: E402
from patches.runs import tensorfile  # noqa: E402
from patches.runs.command import train  # noqa: E402
from patches.runs.directory import Run  # noqa: E402

BATCH, RATE, SIDE = 4, 8000, 16
LONGEST = 0.3  # seconds from a tick's line, after which the snapshot is written beside the training, to the kill


def make_archive(folder: Path) -> Path:
    """Build a small archive of noise bursts, in a process of its own."""
    rng = np.random.default_rng(0)
    (folder / "sounds").mkdir()
    for i in range(8):
        burst = 0.2 * rng.standard_normal((2 * SIDE * SIDE, 2)) * np.linspace(1, 0, 2 * SIDE * SIDE)[:, None]
        soundfile.write(folder / "sounds" / f"{i}.wav", np.clip(burst, -1, 1), RATE)
    dest = folder / "bursts.zip"
    command = [sys.executable, str(ROOT / "dataset_tool_wav.py"), f"--source={folder / 'sounds'}", f"--dest={dest}"]
    command += [f"--resolution={SIDE}x{SIDE}", f"--sample-rate={RATE}", "--workers=1"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return dest


def arguments(archive: Path, outdir: Path, kimg: float) -> dict[str, object]:
    """Return train.py's arguments as its command line would give them: a snapshot at every iteration."""
    given = [
        f"--outdir={outdir}", f"--data={archive}", "--cfg=stylegan2", f"--batch={BATCH}", "--gamma=1", "--cbase=1024",
        "--cmax=64", "--map-depth=2", f"--tick={BATCH / 1000}", "--snap=1", f"--kimg={kimg}", "--resume=auto",
        "--device=cpu", "--workers=1", "--batch-gpu=4", "--keep-states=2",
    ]  # fmt: skip
    parsed = dict(click.Context(script.main).command.make_context("train.py", given).params)
    parsed.pop("debug")
    return parsed


def fork(parameters: dict[str, object]) -> tuple[int, int]:
    """Run train.py's command in a child; return its process id and a pipe on which it says that it trains."""
    told, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        return child, told
    os.close(told)
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        train(parameters, lambda line: os.write(tell, b"t") if line.startswith("tick ") else None)
        code = 0
    finally:
        os._exit(code)


def finish(parameters: dict[str, object]) -> None:
    """Let a run through."""
    child, told = fork(parameters)
    while os.read(told, 4096):
        pass
    os.close(told)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("a run that was let through failed")


def kill_once(parameters: dict[str, object], delay: Callable[[], float]) -> None:
    """Start or go on, wait for the first tick, and kill a random moment later."""
    child, told = fork(parameters)
    if not os.read(told, 1):
        raise SystemExit("the run could not go on")
    time.sleep(delay())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)


def examine(run: Run, before: int, since: float) -> tuple[str, int]:
    """Read every file written `since` whole; return what the kill interrupted and the pictures of the newest state."""
    partial = [path.name.split(".")[1].rstrip("-0123456789") for path in run.path.glob(".*.part")]
    changed = [path for path in run.path.rglob("*.*") if path.stat().st_mtime >= since]
    for path in [path for path in changed if path.match("[!.]*.safetensors")]:
        tensors, header = tensorfile.load(path)  # raises where it is broken
        if not tensorfile.is_finite(tensors) or not header["kind"]:
            raise SystemExit(f"{path} is broken")
    for path in [path for path in changed if path.match("[!.]*.wav")]:
        soundfile.read(path)
    states, networks = run.states(), list(run.path.glob("network-snapshot-*.safetensors"))
    images = int(tensorfile.read_header(states[-1])["images"]) if states else 0
    if images < before:
        raise SystemExit(f"the newest state fell from {before} to {images} pictures")
    rows = run.rows()
    ticks = [row["tick"] for row in rows]
    if ticks != list(range(1, len(ticks) + 1)) or (images and images not in {row["images"] for row in rows}):
        raise SystemExit(f"{run.path}: a state of {images} pictures, and ticks {ticks} in stats.jsonl")
    if partial:
        return partial[0], images
    return ("between network and state" if len(networks) > len(states) else "elsewhere"), images


def main() -> None:
    """Kill and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    generator = random.Random(given.seed)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder, found, hits, images = Path(name), Counter[str](), 0, 0
        archive = make_archive(folder)
        endless = arguments(archive, folder / "killed", kimg=1000)
        began = time.monotonic()
        while hits < given.kills:
            since = time.time() - 1  # a file system's clock may lag
            kill_once(endless, lambda: generator.uniform(0, LONGEST))
            (run,) = [Run(path) for path in (folder / "killed").iterdir()]
            what, images = examine(run, images, since)
            found[what] += 1
            hits += what != "elsewhere"
            if found.total() % 20 == 0:
                print(f"{found.total()} kills, {hits} while a snapshot was written", flush=True)
        kimg = (images + 10 * BATCH) / 1000
        for outdir in ("killed", "whole"):
            finish(arguments(archive, folder / outdir, kimg))
        examine(run, images, since=0.0)
        last = [max((folder / o).glob("*/network-*"), key=lambda p: p.stat().st_mtime) for o in ("killed", "whole")]
        same = tensorfile.digest(last[0]) == tensorfile.digest(last[1])
        seconds = time.monotonic() - began
    print(f"{found.total()} kills -9 in {seconds:.0f} s, {hits} of them while a snapshot was written:")
    for what, count in found.most_common():
        print(f"  {count:4d} {what}")
    print(f"No broken file; after {kimg:g} kimg the last network {'equals' if same else 'DIFFERS FROM'} "
          "that of a run never killed.")  # fmt: skip
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
