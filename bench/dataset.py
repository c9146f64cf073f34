# SPDX-License-Identifier: Apache-2.0
"""Building a dataset against the disk, and against the seed paper's per-bin loop, written from its description.

    python bench/dataset.py [--folder DIR]            # 64 files of 11.9 s, 2 workers

The disk: MB/s of archive, scan and last sync included, against writing and syncing the archive's own bytes in the same
run, build and yardstick in turns. Up to 300 MB/s the tool should reach 0.6 of it; on a quicker disk the cores decide,
and what counts is the time of a file on one core, by stage: 12 ms at most.

The paper's tool (Henshaw 2022, sections 2.1, 3 and 5: "over three hours for our ~11,200 item training set", numpy):
one process, a Python loop over frames and bins. Ours: dataset_tool_wav.py's own functions with scan, statistics,
checksums, hashes and the sync to disk. Prints a page in Markdown.
"""

import argparse
import io
import os
import sys
import tempfile
import time
import zipfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import scipy.fft
import scipy.io.wavfile

from spect.archive.reader import Archive
from spect.cmyk import Cmyk
from spect.dataset.build import Built, build, scan
from spect.dataset.labels import NONE
from spect.dataset.options import Preparation
from spect.dataset.pool import processes
from spect.dataset.sources import find

PAPER_SECONDS = 3 * 3600 / 11200  # a file, as the paper reports: 0.96 s
WINDOW, BINS, FRAMES, RATE = 1024, 512, 512, 44100
SLOW_DISK, LEAST_SHARE, MOST_MS = 300, 0.6, 12  # MB/s; of the disk's; a file of 11.9 s on one core
CHUNK = 1 << 22


def render(folder: Path, files: int, rate: int, seconds: float) -> None:
    """Write stereo sounds of decaying partials and noise, 16 bit."""
    rng = np.random.default_rng(0)
    times = np.arange(round(rate * seconds)) / rate
    for number in range(files):
        base = 55 * 2 ** (rng.integers(48) / 12)
        partials = [np.sin(2 * np.pi * base * k * times + rng.uniform(0, 6)) / k for k in range(1, 5)]
        sound = np.exp(-times * rng.uniform(0.2, 2)) * sum(partials)
        stereo = np.stack([sound, np.roll(sound, 40)], 1) * 0.3 + 0.001 * rng.standard_normal((times.size, 2))
        scipy.io.wavfile.write(folder / f"note{number:04d}.wav", rate, (stereo * 32767).astype(np.int16))


def paper_picture(path: Path) -> np.ndarray:
    """Turn a file into a picture as the paper describes it. Shape: [512, 512, 4] float32."""
    rate, data = scipy.io.wavfile.read(path)
    sound = data.astype(np.float64).T / 32768
    sound = sound - (sound.max() + sound.min()) / 2  # re-centred by the mid-range
    if rate != RATE:
        length = round(sound.shape[1] * RATE / rate)
        times = np.arange(length) * rate / RATE
        sound = np.stack([np.interp(times, np.arange(channel.size), channel) for channel in sound])
    fitted = np.zeros((2, WINDOW * FRAMES))
    length = min(sound.shape[1], fitted.shape[1])
    fitted[:, :length] = sound[:, :length]
    mid, side = (fitted[0] + fitted[1]) / 2, (fitted[0] - fitted[1]) / 2
    picture = np.zeros((BINS, FRAMES, 4), np.float32)
    for frame in range(FRAMES):
        mid_bins = scipy.fft.rfft(mid[frame * WINDOW : (frame + 1) * WINDOW])
        side_bins = scipy.fft.rfft(side[frame * WINDOW : (frame + 1) * WINDOW])
        for bin_ in range(1, BINS + 1):  # bin 0, DC, is taken for zero
            picture[BINS - bin_, frame, 0] = mid_bins[bin_].real
            picture[BINS - bin_, frame, 1] = mid_bins[bin_].imag
            picture[BINS - bin_, frame, 2] = side_bins[bin_].real
            picture[BINS - bin_, frame, 3] = side_bins[bin_].imag
    return picture


def run_paper(folder: Path, dest: Path, files: int) -> tuple[float, float]:
    """Run the paper's loop over some files into a stored zip; seconds a file, by the clock and of the CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    with zipfile.ZipFile(dest, "w", zipfile.ZIP_STORED) as archive:
        for number, path in enumerate(sorted(folder.glob("*.wav"))[:files]):
            data = io.BytesIO()
            np.save(data, paper_picture(path), allow_pickle=False)
            archive.writestr(f"00000/spect{number:08d}.npy", data.getvalue())
    return (time.perf_counter() - start) / files, (time.process_time() - cpu) / files


def run_ours(folder: Path, dest: Path, workers: int) -> tuple[Built, dict[str, float]]:
    """Run the tool's functions; what was built, and seconds by phase."""
    dest.unlink(missing_ok=True)
    listing, preparation, marks = find(folder), Preparation(Cmyk()), [time.perf_counter()]
    with processes(workers) as executor:
        if executor is not None:
            list(executor.map(abs, range(4 * workers)))  # workers are there
        marks.append(time.perf_counter())
        facts = list(scan(listing.source, listing.names, executor, workers, downmix=False, trim=False))
        marks.append(time.perf_counter())
        built = build(listing.source, facts, NONE, preparation, dest, executor=executor, workers=workers)
        marks.append(time.perf_counter())
    names = ("start of the workers", "scan", "build")
    return built, dict(zip(names, np.diff(marks).tolist(), strict=True))


def yardstick(archive: Path) -> float:
    """Write and sync an archive's own bytes beside it; seconds."""
    data, copy = archive.read_bytes(), archive.with_suffix(".copy")
    start = time.perf_counter()
    with open(copy, "wb", buffering=0) as file:
        for at in range(0, len(data), CHUNK):
            file.write(data[at : at + CHUNK])
        os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    copy.unlink()
    return seconds


def open_time(folder: Path, items: int) -> float:
    """Write an archive of many tiny pictures and time its opening, labels, splits and one record."""
    from spect.archive.layout import Layout
    from spect.archive.writer import ArchiveWriter

    path, picture = folder / "many.zip", np.zeros((2, 2, 4), np.float32)
    with ArchiveWriter(path, Layout(2, 2)) as writer:
        crcs = [writer.put(index, picture)[0] for index in range(items)]
        records = [{"source": f"{i}.wav", "split": "holdout" if i % 10 == 0 else "train"} for i in range(items)]
        summary = {"representation": Cmyk(rows=2, frames=2).to_dict(), "classes": [], "statistics": {}}
        writer.finish(crcs, np.full(items, -1), records, {**summary, "holdout_items": items // 10})
    start = time.perf_counter()
    archive = Archive.open(path)
    assert len(archive.labels) == len(archive.train) + len(archive.holdout) == items
    archive.canvases([0, items - 1]), archive.item(items - 1)
    return time.perf_counter() - start


def total(phases: dict[str, float]) -> float:
    """Seconds of a build without the start of its workers."""
    return phases["scan"] + phases["build"]


def disk_page(size: int, disk: float, ours: float, workers: int, files: int, alone: tuple[Built, float]) -> list[str]:
    """Tell the throughput against the disk, and the stages on one core."""
    built, seconds = alone
    quick = size / disk / 1e6 > SLOW_DISK
    return [
        f"| {size / 1e6:.0f} MB of archive | seconds | MB/s | of the disk |", "|---|---|---|---|",
        f"| written and synced, no more | {disk:.2f} | {size / disk / 1e6:.0f} | 1 |",
        f"| built from sounds, {workers} workers | {ours:.2f} | {size / ours / 1e6:.0f} | {disk / ours:.2f} |",
        f"| built from sounds, 1 worker | {seconds:.2f} | {size / seconds / 1e6:.0f} | {disk / seconds:.2f} |", "",
        f"The disk takes {'more' if quick else 'less'} than {SLOW_DISK} MB/s, so what counts is "
        + (f"the time of a file on one core: {1000 * seconds / files:.2f} ms (at most {MOST_MS})." if quick
           else f"the share: {disk / ours:.2f} (at least {LEAST_SHARE})."), "",
        "| stage, 1 worker | ms a file |", "|---|---|",
        *(f"| {stage} | {1000 * s / files:.2f} |" for stage, s in built.seconds.items() if s > 1e-5 * files),
        f"| scan, journal, tail, waiting for the disk | {1000 * (seconds - sum(built.seconds.values())) / files:.2f} |",
    ]  # fmt: skip


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--paper-files", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="of each; the quickest counts")
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--seconds", type=float, default=11.9)
    parser.add_argument("--folder", type=Path, help="where to work, on the disk to measure; a temporary one by default")
    options = parser.parse_args()
    files, workers = options.files, options.workers
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        sounds, dest = Path(name) / "sounds", Path(name) / "ours.zip"
        sounds.mkdir()
        render(sounds, files, options.rate, options.seconds)
        busy = os.getloadavg()[0]
        run_ours(sounds, dest, 1)  # pages of memory and disk are touched once before it counts
        size, theirs = dest.stat().st_size, run_paper(sounds, Path(name) / "paper.zip", options.paper_files)
        runs, alone, disk, cpu = [], [], [], []
        for _ in range(options.repeats):
            runs.append(run_ours(sounds, dest, workers))
            start = time.process_time()
            alone.append(run_ours(sounds, dest, 1))
            cpu.append((time.process_time() - start) / files)
            disk.append(yardstick(dest))
        opening = open_time(Path(name), 100_000)
    _, phases = min(runs, key=lambda run: total(run[1]))
    one, one_phases = min(alone, key=lambda run: total(run[1]))
    ours = total(phases) / files
    print(f"# Building a dataset: {files} files of {options.seconds:g} s at {options.rate} Hz, stereo\n")
    if busy > 0.5:
        print(
            f"The machine was busy with other things (load {busy:.1f}): the clock is unfair to all, the CPU's isn't.\n"
        )
    print("\n".join(disk_page(size, min(disk), total(phases), workers, files, (one, total(one_phases)))))
    print("\n| | ms a file | times as fast | CPU ms a file | times as fast | factor to the paper's 0.96 s |")
    print("|---|---|---|---|---|---|")
    print(
        f"| the paper's loop | {1000 * theirs[0]:.0f} | 1 | {1000 * theirs[1]:.0f} | 1 | "
        f"{PAPER_SECONDS / theirs[0]:.1f} |"
    )
    print(
        f"| ours, {workers} workers | {1000 * ours:.2f} | {theirs[0] / ours:.1f} | {1000 * min(cpu):.2f} | "
        f"{workers * theirs[1] / min(cpu):.1f} ({workers} cores) | {PAPER_SECONDS / ours:.0f} |\n"
    )
    print(f"| phase, {workers} workers | seconds, all files |\n|---|---|")
    print("\n".join(f"| {phase} | {seconds:.2f} |" for phase, seconds in phases.items()))
    print(f"\nOpening an archive of 100 000 items, with labels, splits and a record: {1000 * opening:.0f} ms")


if __name__ == "__main__":
    main()
