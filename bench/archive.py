# SPDX-License-Identifier: Apache-2.0
"""An archive of many items: time and memory to write it, to open it, to read it at random, to verify and to merge it.

    python bench/archive.py --items 1000000

Tiny pictures (16x16x4 float32), since it is their number that is measured. Each row is a process of its own; memory is
what that process has beyond its libraries: its own (anonymous), and pages of the file, which all processes share and
the system takes back when it likes. Prints rows; removes what it wrote.
"""

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spect.archive.layout import Layout
from spect.archive.reader import Archive
from spect.archive.writer import ArchiveWriter
from spect.cmyk import Cmyk

SIDE, CLASSES, CLIPS, HELD = 16, 10, 4, 10  # clips of a file; every tenth file is held out
READS = 20_000
BATCH = 32


def record(index: int, digest: str) -> dict[str, Any]:
    """Make a record as long as those of a real dataset."""
    file = index // CLIPS
    split = "holdout" if file % HELD == 0 else "train"
    name = f"library/{file % CLASSES:02d}/a sound of some name {file:09d}.wav"
    place = {"source": name, "start_samples": index % CLIPS * 512, "samples": 512, "split": split}
    return {**place, "sample_rate": 8000, "channels": 2, "sha256": digest}


def write(path: Path, items: int) -> None:
    """Write an archive of random pictures."""
    layout, crcs, digests = Layout(SIDE, SIDE), np.empty(items, np.uint32), np.empty(items, "V32")
    pool = np.random.default_rng(0).standard_normal((64, SIDE, SIDE, 4)).astype(np.float32)
    held = sum(min(CLIPS, items - first) for first in range(0, items, CLIPS * HELD))
    labels = np.arange(items) // CLIPS % CLASSES
    with ArchiveWriter(path, layout) as writer:
        for index in range(items):
            pool[index % 64, 0, 0, 0] = index
            crcs[index], digest = writer.put(index, pool[index % 64])
            digests[index] = bytes.fromhex(digest)
            writer.begin_sync(layout.member_bytes)
        summary = {
            "representation": Cmyk(8000, SIDE, SIDE).to_dict(), "classes": [f"{n:02d}" for n in range(CLASSES)],
            "statistics": {}, "holdout": 1 / HELD, "holdout_items": held, "train_items": items - held,
        }  # fmt: skip
        records = (record(index, digests[index].tobytes().hex()) for index in range(items))
        writer.finish(crcs, labels, records, summary)


class Timed:
    """Rows of one process: what was done, seconds, and memory beyond the libraries afterwards."""

    def __init__(self) -> None:
        self._before = memory()

    def __call__(self, what: str, do: Callable[[], Any], times: int = 1) -> Any:
        """Do it and print its row."""
        peak, over = [0], threading.Event()
        watch = threading.Thread(target=self._watch, args=(peak, over))
        watch.start()
        start = time.perf_counter()
        done = do()
        seconds = time.perf_counter() - start
        over.set()
        watch.join()
        now = {name: kib - self._before[name] for name, kib in memory().items()}
        told = {"what": what, "seconds": seconds / times, "times": times, "peak": peak[0] - self._before["own"], **now}
        print(json.dumps(told), flush=True)
        return done

    @staticmethod
    def _watch(peak: list[int], over: threading.Event) -> None:
        while True:
            peak[0] = max(peak[0], memory()["own"])
            if over.wait(0.02):
                return


def memory() -> dict[str, int]:
    """Tell this process's memory in KiB: its own now, and pages of files."""
    rows = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(rows[key].split()[0]) for name, key in (("own", "RssAnon"), ("file", "RssFile"))}


def opening(path: Path, row: Timed) -> None:
    """Open in a fresh process, and use what training uses at its start."""
    archive = row("open", lambda: Archive.open(path))
    row("labels", lambda: archive.labels[-1])
    row("splits and places of records", lambda: len(archive.train))
    row("one record", lambda: archive.item(len(archive) - 1))
    row("100 sources", lambda: archive.sources(np.arange(0, len(archive), len(archive) // 100)))
    Path(f"{path}.pickle").write_bytes(pickle.dumps(archive))


def worker(path: Path, row: Timed) -> None:
    """Read at random, as a worker does that was handed the archive."""
    archive = row("open, handed over", lambda: pickle.loads(Path(f"{path}.pickle").read_bytes()))
    chosen = np.random.default_rng(1).integers(0, len(archive), READS)
    for heading in ("random items, cold", "the same again"):
        row(heading, lambda: read(archive, chosen), READS)


def read(archive: Archive, items: np.ndarray) -> None:
    """Copy items, a batch at a time."""
    for part in np.split(items, len(items) // BATCH):
        archive.canvases(part)


def training(path: Path, row: Timed) -> None:
    """What train.py does at its start and with each batch, but for the networks."""
    from patches.canvases import Canvases
    from patches.fitting import Sample
    from patches.views import View
    from stylegan3.training.data import batches

    row("(libraries)", lambda: None)
    archive = Archive.open(path)
    view = row("fit the view on 4 096 items", lambda: View.fit(archive, "stft", "compand", {}))
    data = row("data set with labels", lambda: Canvases(archive, view, conditional=True))
    row("items without labels", lambda: data.unlabelled)
    assert len(Sample(archive, archive.representation).indices()) <= 4096
    stream: Iterator[Any] = batches(data, BATCH, 0, 0, 3)
    row("first batch (the epoch's order)", lambda: next(stream))
    row("a batch", lambda: [next(stream) for _ in range(300)] and None, 300)


def whole(path: Path, row: Timed) -> None:
    """What reads every item."""
    from spect.archive.faults import faults
    from spect.archives.info import info
    from spect.archives.merge import merge
    from spect.archives.split import split

    archive = Archive.open(path)
    row("--info", lambda: info(archive))
    assert not row("--verify", lambda: list(faults(archive)))
    parts = [path.with_name("a.zip"), path.with_name("b.zip")]
    row("--split", lambda: split(archive, (0.5, 0.5), parts))
    row("--merge", lambda: merge([Archive.open(part) for part in parts], path.with_name("c.zip")))


ROWS: dict[str, Callable[[Path, Timed], None]] = {
    "opening": opening, "worker": worker, "training": training, "whole": whole,
}  # fmt: skip


def drop_cache(path: Path) -> None:
    """Let the system forget the file's pages."""
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to write; 5 kB an item, three times with --whole")
    parser.add_argument("--whole", action="store_true", help="also what reads every item: --info, --verify, --split")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, path = options.child[0], Path(options.child[1])
        row = Timed()
        if name == "write":
            row("write", lambda: write(path, options.items))
        else:
            ROWS[name](path, row)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "many.zip"
        print(
            "| process | what | time | own memory, MB | its peak, MB | pages of files, MB |\n|---|---|---|---|---|---|"
        )
        for name in ("write", "opening", "worker", "training", *(["whole"] if options.whole else [])):
            if path.exists():
                drop_cache(path)
            command = [sys.executable, __file__, "--items", str(options.items), "--child", name, str(path)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout or ():
                    print(shown(name, json.loads(line)), flush=True)
            if process.returncode:
                sys.exit(f"{name}: failed")
        print(f"\n{options.items} items, {path.stat().st_size / 1e9:.2f} GB")


def shown(process: str, row: dict[str, Any]) -> str:
    """Write a row of the table."""
    unit = (1e6, "us") if row["seconds"] < 1e-3 else (1e3, "ms") if row["seconds"] < 1 else (1, "s")
    each = f" each (of {row['times']})" * (row["times"] > 1)
    took = f"{row['seconds'] * unit[0]:.3g} {unit[1]}{each}"
    kept = " | ".join(f"{row[name] / 1024:.1f}" for name in ("own", "peak", "file"))
    return f"| {process} | {row['what']} | {took} | {kept} |"


if __name__ == "__main__":
    main()
