# SPDX-License-Identifier: Apache-2.0
"""Write docs/views.md: every view's shape, round trip, what an error does to it, speed, pictures, learning curve.

    python bench/learning.py AUDIO/drums WORK --view ...     # first, the runs that the page shows
    python bench/views.py AUDIO WORK [--out docs]

AUDIO is the folder of recorded sounds (drums, notes, loops, digits, misc), WORK that of bench/learning.py. What was
measured is kept in WORK/views.json by view: the page can be written again in pieces (--again VIEW measures anew).

    round trip      ten files of each folder of AUDIO, 65 536 samples at 22 050 Hz, encoded and decoded, no scaling
    error           the held-out hits as a network sees them, plus Gaussian noise of 1 or 5 % of full scale
    SNR             of the waveform, median over sounds; LSD: log-spectral distance (spect/measures.py), median
    speed           pictures of 64x64-like archives a second, one thread, a batch of 16, median of 5; decoding alike
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.curves import svg
from bench.learning import MEASURES, table
from patches.views import KINDS, View
from spect import audio
from spect.archive.reader import Archive
from spect.errors import SoundError
from spect.files import whole_file
from spect.measures import log_spectral_distance
from spect.preview import save_png
from spect.representation import of_length

ROOT = Path(__file__).resolve().parents[1]
RATE, SAMPLES = 22050, 65536
SHOWN = 2  # the held-out hit whose pictures are shown
ERRORS = (0.0, 0.01, 0.05)


def sounds(folder: Path, count: int = 10) -> Iterator[Tensor]:
    """Give the sounds of the round trip, `count` of each part. Shape: [2, SAMPLES] each."""
    parts = [sorted(part.rglob("*.flac")) for part in sorted(folder.iterdir()) if part.is_dir()]
    for path in (path for paths in parts for path in paths[:: max(1, len(paths) // count)][:count]):
        given, rate = audio.read(path)
        yield of_length(torch.from_numpy(audio.to_stereo(audio.resample(given, rate, RATE))), SAMPLES)


def snr_db(wanted: Tensor, got: Tensor) -> Tensor:
    """Return each sound's signal-to-noise ratio, at most 160. Shape: [N, 2, L] x 2 -> [N]."""
    signal, noise = ((x.double().square().flatten(1).sum(1)) for x in (wanted, wanted - got))
    return 10 * torch.log10(signal.clamp_min(1e-20) / noise.clamp_min(1e-20)).clamp(max=16)


def figures(wanted: Tensor, got: Tensor) -> dict[str, float]:
    """Summarise what came back."""
    return {
        "snr": float(snr_db(wanted, got).median()),
        "snr_least": float(snr_db(wanted, got).min()),
        "lsd": float(log_spectral_distance(wanted, got).median()),
    }


def seconds_each(function: Callable[[], Any], count: int) -> float:
    """Return seconds per item, the median of five calls after one."""
    function()
    taken = []
    for _ in range(5):
        began = time.process_time()
        function()
        taken.append(time.process_time() - began)
    return statistics.median(taken) / count


def measure(name: str, audio_folder: Path, work: Path) -> dict[str, Any]:
    """Measure everything about a view."""
    kind, train, heldout = KINDS[name], Archive.open(work / "train.zip"), Archive.open(work / "heldout.zip")
    large = kind.cls.suited(RATE, SAMPLES, 256, 128)
    trip = []
    for sound in sounds(audio_folder):
        cut = of_length(sound, large.samples)[None]
        trip.append((cut, large.decode(large.encode(cut))))
    found: dict[str, Any] = {"trip": figures(*(torch.cat(part) for part in zip(*trip, strict=True)))}
    view = View.fit(train, name)
    stored = heldout.representation
    canvases = torch.from_numpy(heldout.canvases(range(len(heldout))))
    real = of_length(stored.decode(canvases), view.samples)
    pictures = view.picture(stored, canvases)
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    for error in ERRORS:
        found[f"error {error}"] = figures(real, view.sound(pictures + error * noise))
    few = canvases[:16]
    found |= {
        "shape": view.shape,
        "large": large.shape,
        "seconds": view.samples / view.sample_rate,
        "scaling": view.scaling.name,
        "augmentations": view.augmentations,
        "encode": 1 / seconds_each(lambda: view.picture(stored, few), 16),
        "decode": 1 / seconds_each(lambda: view.sound(pictures[:16]), 16),
    }
    return found


def show(name: str, audio_folder: Path, out: Path) -> None:
    """Write the picture of one same sound."""
    path = next(iter(sorted((audio_folder / "loops").glob("*.flac"))), None)
    if path is None:
        raise SoundError(f"{audio_folder} holds no loops/*.flac")
    given, rate = audio.read(path)
    sound = torch.from_numpy(audio.to_stereo(audio.resample(given, rate, RATE)))
    made = KINDS[name].cls.suited(RATE, SAMPLES, 256, 128)
    save_png(out / f"{name}.png", made.preview(made.encode(of_length(sound, made.samples))[None])[0])


def page(found: dict[str, Any], work: Path) -> str:
    """Lay the page out."""
    lines = [
        "# Views: measured",
        "",
        "Written by `bench/views.py` (what each column is stands there) from runs of `bench/learning.py`; not by hand.",
        "",
        "## Shape, round trip, error, speed",
        "",
        "Archive of 64x64 canvases at 22 050 Hz (8 192 samples); in brackets: the shape for 65 536 samples. Speed: one",
        "CPU thread. SNR and LSD in dB. Where the phase is found afterwards, SNR compares waveforms whose difference",
        "nobody hears: there LSD is what counts.",
        "",
        "| view | C x F x T (65 536) | seconds | scaling | round trip: SNR median / least, LSD | scaled: LSD "
        "| 1 %: SNR, LSD | 5 %: SNR, LSD | encode, decode /s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        shape, large = ("x".join(map(str, row[key])) for key in ("shape", "large"))
        trip, clean, one, five = (row[key] for key in ("trip", *(f"error {error}" for error in ERRORS)))
        lines.append(
            f"| {name} | {shape} ({large}) | {row['seconds']:.2f} | {row['scaling']} "
            f"| {trip['snr']:.1f} / {trip['snr_least']:.1f}, {trip['lsd']:.2f} | {clean['lsd']:.2f} "
            f"| {one['snr']:.1f}, {one['lsd']:.2f} | {five['snr']:.1f}, {five['lsd']:.2f} "
            f"| {row['encode']:.0f}, {row['decode']:.0f} |"
        )
    lines += ["", "## Augmentations that each carries", "", "| view | transforms |", "|---|---|"]
    lines += [f"| {name} | {', '.join(row['augmentations']) or 'none'} |" for name, row in found.items()]
    lines += ["", "## One sound in all views", ""]
    lines += [f"![{name}](views/{name}.png) {name}" for name in found]
    return "\n".join([*lines, *learning(work)]) + "\n"


def learning(work: Path) -> list[str]:
    """Lay out what bench/learning.py found."""
    lines = [
        "",
        "## What a small network learns",
        "",
        "245 real drum hits are learned, 57 of three other kits are the reference; KAD (x100) of 200 new sounds, lower",
        "is better. Equal CPU time of one core for each; protocol and numbers: bench/learning.py. The mean of the last",
        "three minutes' measurements, in brackets their range and the untrained network. The first rows are anchors:",
        "real train hits against the held-out ones. Most of the train kits are mono, most of the held-out aren't,",
        "and the waveform measure, which hears the side, says so of real hits too; that of the mid doesn't.",
        "",
        table(work),
        "",
    ]
    for name in MEASURES:
        lines.append(f"![KAD {name} over time](views/{curve_file(name)})")
    return lines


def curve_file(measure: str) -> str:
    """Name a measure's plot."""
    return f"curve-{measure.replace(' ', '-').replace('+', '-')}.svg"


def draw_curves(work: Path, out: Path) -> None:
    """Write one plot for each description."""
    runs = {
        path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in sorted(work.glob("*.jsonl"))
    }
    for name in MEASURES:
        curves = {run: [(row["seconds"] / 60, row[name]) for row in rows if name in row] for run, rows in runs.items()}
        text = svg({run: points for run, points in curves.items() if points}, f"KAD {name}", "CPU minutes", "KAD x100")
        with whole_file(out / curve_file(name)) as file:
            file.write(text.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--again", nargs="*", default=[], metavar="VIEW")
    given = parser.parse_args()
    torch.set_num_threads(1)
    store = given.work / "views.json"
    found = json.loads(store.read_text()) if store.exists() else {}
    (given.out / "views").mkdir(parents=True, exist_ok=True)
    for name in KINDS:
        if name not in found or name in given.again:
            print(f"measuring {name}", flush=True)
            found[name] = measure(name, given.audio, given.work)
            store.write_text(json.dumps(found))
        show(name, given.audio, given.out / "views")
    draw_curves(given.work, given.out / "views")
    with whole_file(given.out / "views.md") as file:
        file.write(page({name: found[name] for name in KINDS}, given.work).encode())


if __name__ == "__main__":
    main()
