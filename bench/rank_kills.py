# SPDX-License-Identifier: Apache-2.0
"""Kills -9 of single ranks: does the run end in seconds, with whole files, and go on to the same end?

    python bench/rank_kills.py --kills 20 [--ranks 2] [--folder DIR] [--seed N]

A run of several processes with a snapshot at every iteration is started again and again with `--resume=auto`; a random
moment after its first line a rank chosen by chance, or the launcher itself, is killed. Then no process of it may be
left after some seconds, and every file that has its name must be whole. In the end the run is let through and its last
state compared with that of a run of as many ranks that was never killed.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.kills import BATCH, examine, make_archive  # noqa: E402
from patches.runs import tensorfile  # noqa: E402
from patches.runs.directory import Run  # noqa: E402

LAUNCHER = "launcher"
LONGEST = 2.0  # seconds from the first tick's line to the kill
PATIENCE = 40.0  # seconds in which all must be over


def begin(archive: Path, outdir: Path, ranks: int, kimg: float) -> "subprocess.Popen[str]":
    """Start or go on."""
    batch = BATCH * ranks
    command = [
        sys.executable, str(ROOT / "train.py"), f"--outdir={outdir}", f"--data={archive}", "--cfg=stylegan2",
        f"--gpus={ranks}", f"--batch={batch}", f"--batch-gpu={BATCH}", "--gamma=1", "--cbase=1024", "--cmax=64",
        "--map-depth=2", f"--tick={batch / 1000}", "--snap=1", f"--kimg={kimg}", "--resume=auto", "--device=cpu",
        "--workers=1", "--keep-states=2", "--metrics=none",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def descendants(pid: int) -> list[int]:
    """Return the processes below one, as Linux tells them."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [below for child in children for below in descendants(child)]


def kill_one(process: "subprocess.Popen[str]", generator: random.Random) -> tuple[str, float]:
    """Wait for the first tick, kill a process of the run; return which, and the seconds until none was left."""
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if line.startswith("tick "):
            break
    else:
        raise SystemExit(f"the run could not go on:\n{told}")
    time.sleep(generator.uniform(0, LONGEST))
    below = descendants(process.pid)
    ranks = [pid for pid in below if b"train.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    chosen = generator.choice([process.pid, *ranks])
    os.kill(chosen, signal.SIGKILL)
    killed = time.monotonic()
    process.communicate(timeout=PATIENCE)
    while any(Path(f"/proc/{pid}").exists() for pid in below):
        if time.monotonic() - killed > PATIENCE:
            raise SystemExit(f"{PATIENCE:g} s after the kill processes of the run are left")
        time.sleep(0.05)
    return (LAUNCHER if chosen == process.pid else "a rank"), time.monotonic() - killed


def main() -> None:
    """Kill and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    generator = random.Random(given.seed)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder, found, images, longest = Path(name), Counter[str](), 0, 0.0
        archive = make_archive(folder)
        for _ in range(given.kills):
            since = time.time() - 1
            who, seconds = kill_one(begin(archive, folder / "killed", given.ranks, kimg=1000), generator)
            (run,) = [Run(path) for path in (folder / "killed").iterdir()]
            _, images = examine(run, images, since)
            found[who] += 1
            longest = max(longest, seconds)
            print(f"{found.total()} kills, at {images} pictures", flush=True)
        kimg = (images + 4 * BATCH * given.ranks) / 1000
        for outdir in ("killed", "whole"):
            process = begin(archive, folder / outdir, given.ranks, kimg)
            told, _ = process.communicate()
            if process.returncode:
                raise SystemExit(f"a run that was let through failed:\n{told}")
        examine(run, images, since=0.0)
        last = [
            max((folder / o).glob("*/training-state-*"), key=lambda p: p.stat().st_mtime) for o in ("killed", "whole")
        ]
        same = tensorfile.digest(last[0]) == tensorfile.digest(last[1])
    print(
        f"{found.total()} kills -9 ({dict(found)}) of a run of {given.ranks} ranks; over after {longest:.1f} s at most."
    )
    print(f"No broken file; after {kimg:g} kimg the last state {'equals' if same else 'DIFFERS FROM'} "
          "that of a run never killed.")  # fmt: skip
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
