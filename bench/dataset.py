# SPDX-License-Identifier: Apache-2.0
"""How much faster than the seed paper's tool: its per-bin loop, written from its description, against ours.

    python bench/dataset.py            # 64 files of 12 s, 2 workers

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


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--paper-files", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="builds; the quickest counts")
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--seconds", type=float, default=12.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sounds = Path(name) / "sounds"
        sounds.mkdir()
        render(sounds, options.files, options.rate, options.seconds)
        busy = os.getloadavg()[0]
        run_ours(sounds, Path(name) / "ours.zip", 1)  # pages of memory and disk are touched once before it counts
        theirs, theirs_cpu = run_paper(sounds, Path(name) / "paper.zip", options.paper_files)
        runs = [run_ours(sounds, Path(name) / "ours.zip", options.workers) for _ in range(options.repeats)]
        built, phases = min(runs, key=lambda run: run[1]["scan"] + run[1]["build"])
        start = time.process_time()
        run_ours(sounds, Path(name) / "ours.zip", 1)
        ours_cpu = (time.process_time() - start) / options.files
        opening = open_time(Path(name), 100_000)
    ours = (phases["scan"] + phases["build"]) / options.files
    print(f"# Building a dataset: {options.files} files of {options.seconds:g} s at {options.rate} Hz, stereo\n")
    if busy > 0.5:
        print(
            f"The machine was busy with other things (load {busy:.1f}): the clock is unfair to both, the CPU's isn't.\n"
        )
    print("| | ms a file | times as fast | CPU ms a file | times as fast | factor to the paper's 0.96 s |")
    print("|---|---|---|---|---|---|")
    print(
        f"| the paper's loop | {1000 * theirs:.0f} | 1 | {1000 * theirs_cpu:.0f} | 1 | {PAPER_SECONDS / theirs:.1f} |"
    )
    print(
        f"| ours, {options.workers} workers | {1000 * ours:.2f} | {theirs / ours:.1f} | {1000 * ours_cpu:.2f} | "
        f"{options.workers * theirs_cpu / ours_cpu:.1f} ({options.workers} cores) | {PAPER_SECONDS / ours:.0f} |\n"
    )
    print("| phase | seconds, all files |\n|---|---|")
    print("\n".join(f"| {phase} | {seconds:.2f} |" for phase, seconds in phases.items()))
    print("\n| stage of the build | ms a file in its worker |\n|---|---|")
    print("\n".join(f"| {stage} | {1000 * s / options.files:.2f} |" for stage, s in built.seconds.items()))
    print(f"\nOpening an archive of 100 000 items, with labels, splits and a record: {1000 * opening:.0f} ms")


if __name__ == "__main__":
    main()
