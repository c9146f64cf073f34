# SPDX-License-Identifier: Apache-2.0
"""How long scores take and what memory they need: 1 000 one-second sounds, the default metrics.

    python bench/metrics.py [--sounds 1000] [--train 1000] [--threads 2]

Notes of examples/synth.py at 32 kHz (128x128 canvases: 1.02 s) are the dataset; as many of them, damaged a little, are
what is scored. Each part is a process of its own: the dataset's statistics (once an archive), the anchors (once), and
then what every snapshot costs, sounds read from the archive and all. The baseline is the same metrics with one sound
looked at at a time, as a plain loop would. The last lines repeat the snapshot's part with four times the training
sounds: what its memory grows by.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RATE, RESOLUTION = 32000, "128x128"
FEW = 60  # sounds of the baseline


def build(folder: Path, count: int) -> Path:
    """Build an archive of so many notes, an eighth of them held out."""
    from examples.synth import write_notes

    path = folder / f"{count}.zip"
    write_notes(folder / str(count), count, 1.0, RATE, 0)
    command = [sys.executable, "dataset_tool_wav.py", f"--source={folder / str(count)}", f"--dest={path}"]
    options = [f"--resolution={RESOLUTION}", f"--sample-rate={RATE}", "--holdout=0.125", "--labels=none"]
    subprocess.run([*command, *options], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return path


def part(what: str, path: Path, sounds: int, threads: int) -> dict[str, float]:
    """Do one part in this process; return seconds and the peak of its memory in MB."""
    import numpy as np
    import torch

    from patches.scores import sounds as of_sounds
    from patches.scores.choose import Wanted, evaluation
    from patches.views import View
    from spect.archive.reader import Archive

    torch.set_num_threads(threads)
    archive = Archive.open(path)
    if what == "baseline":
        of_sounds.MOST_AT_A_TIME = 1
    made = evaluation(archive, View.fit(archive, "mel"), Wanted(), torch.device("cpu"))
    began = time.perf_counter()
    if what == "dataset":
        made.against  # noqa: B018 (measured now)
    elif what == "anchors":
        made.anchors()
    else:
        made.against  # noqa: B018 (read from what was measured)
        items = np.resize(archive.train, FEW if what == "baseline" else sounds)
        subject = made.data.real.subject("outputs", items, lambda heard: 0.9 * heard.sounds + 1e-4)
        made.scores(made.measured(subject))
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(what: str, path: Path, sounds: int, threads: int) -> dict[str, Any]:
    """Do one part in a process of its own."""
    command = [sys.executable, __file__, "--part", what, "--archive", str(path), f"--sounds={sounds}"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [*command, f"--threads={threads}"], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", type=int, default=1000)
    parser.add_argument("--train", type=int, default=1000, help="training sounds")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--archive", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(part(given.part, given.archive, given.sounds, given.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = build(Path(folder), round(given.train / 0.875))
        print(f"{given.sounds} sounds of 1.02 s at {RATE} Hz, {given.threads} threads")
        for what, title in (
            ("dataset", "the dataset, once"),
            ("anchors", "the anchors, once"),
            ("snapshot", "a snapshot"),
        ):
            found = measured(what, path, given.sounds, given.threads)
            print(f"  {title:<44}{found['seconds']:8.1f} s {found['mb']:8.0f} MB", flush=True)
            if what == "snapshot":
                snapshot = found
        loop = measured("baseline", path, given.sounds, given.threads)["seconds"] / FEW
        each = snapshot["seconds"] / given.sounds
        print(f"  a sound: {1000 * each:.1f} ms; one at a time {1000 * loop:.1f} ms: {loop / each:.1f}x")
        many = build(Path(folder), round(4 * given.train / 0.875))
        measured("dataset", many, given.sounds, given.threads)
        found = measured("snapshot", many, given.sounds, given.threads)
        print(
            f"  a snapshot, with {4 * given.train} training sounds".ljust(46)
            + f"{found['seconds']:8.1f} s {found['mb']:8.0f} MB ({found['mb'] - snapshot['mb']:+.0f})"
        )


if __name__ == "__main__":
    main()
