# SPDX-License-Identifier: Apache-2.0
"""Write docs/views.md: every view's shape, round trip, what an error does to it, speed, pictures, learning curve.

    python bench/learning.py AUDIO/drums WORK --view ...     # first, the runs that the page shows
    python bench/views.py AUDIO WORK [--out docs]

AUDIO is the folder of recorded sounds (drums, notes, loops, digits, misc), WORK that of bench/learning.py. All that
the page is made of is kept beside it, in docs/views/measured: on another machine, whose WORK is empty, it is written
again from there (AUDIO isn't needed for that), and what WORK has is added or takes the place of what was kept.
--again VIEW, or --again inverses, edges or anchors, measures anew.

    round trip      ten files of each folder of AUDIO, 65 536 samples at 22 050 Hz, encoded and decoded, no scaling
    error           the held-out hits as a network sees them, plus Gaussian noise of 1 or 5 % of full scale
    SNR             of the waveform, median over sounds; LSD: log-spectral distance (spect/measures), median
    speed           pictures of 64x64-like archives a second, one thread, a batch of 16, median of 5; decoding alike
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import coefficients, phase
from bench.curves import svg
from bench.pages.hits import MEASURES, all_anchors, prepare
from bench.pages.learned import Curves
from bench.pages.measured import DOCS, VIEWS, Row, curves, keep_curves, numbers, write_numbers
from bench.pages.viewed import ERRORS, curve_file, page
from patches.views import KINDS, View
from spect import audio
from spect.archive.reader import Archive
from spect.errors import SoundError
from spect.files import write_text
from spect.measures import log_spectral_distance
from spect.preview import save_png
from spect.representation import of_length

STORE, MORE, ANCHORS = "views.json", "sections.json", "anchors.json"
EVERY, PHASE_SAMPLES = 10, 8192  # drum hits whose phases are found, and those of the edges
RATE, SAMPLES = 22050, 65536
SHOWN = 2  # the held-out hit whose pictures are shown


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


def draw_curves(found: Curves, out: Path) -> None:
    """Write one plot for each description."""
    for name in MEASURES:
        points = {run: [(row["seconds"] / 60, row[name]) for row in rows if name in row] for run, rows in found.items()}
        drawn = {run: some for run, some in points.items() if some}
        if drawn:
            write_text(out / curve_file(name), svg(drawn, f"KAD {name}", "CPU minutes", "KAD x100"))


def figures_of_inverses(audio_folder: Path) -> Row:
    """Measure how well phases are found for drum hits, and what stereo keeps of their image (bench/phase.py)."""
    chosen = list(phase.sounds(audio_folder / "drums", EVERY, PHASE_SAMPLES))
    forms = phase.suited(PHASE_SAMPLES)
    shapes = [f"{form.name} {'x'.join(map(str, form.shape))}" for form in forms]
    ways = dict(phase.convergences(forms, chosen))
    return {"sounds": len(chosen), "forms": shapes, "ways": ways, "image": phase.image_kept(forms[1], chosen)}


def figures_of_edges(audio_folder: Path) -> Row:
    """Measure what errors on coefficients do to drum hits (bench/coefficients.py)."""
    with torch.inference_mode():
        samples = 2 * coefficients.ROWS * coefficients.FRAMES
        chosen = coefficients.sounds_of(audio_folder / "drums", samples, EVERY)
        return {"sounds": len(chosen), "rows": coefficients.ROWS, "views": dict(coefficients.errors(chosen))}


SECTIONS = {"inverses": figures_of_inverses, "edges": figures_of_edges}


def figures_of_sections(audio_folder: Path, work: Path, kept: Path, again: Sequence[str]) -> dict[str, Row]:
    """Give what was measured of groups of views; measure what wasn't."""
    found = {name: row for name, row in numbers(MORE, work, kept).items() if name not in again}
    for name, measured in SECTIONS.items():
        if name not in found:
            print(f"measuring {name}", flush=True)
            found[name] = measured(audio_folder)
            write_numbers(work / MORE, found)
    return {name: found[name] for name in SECTIONS}


def figures_of_views(audio_folder: Path, work: Path, kept: Path, again: Sequence[str]) -> dict[str, Row]:
    """Give what was measured of each view; measure what wasn't."""
    found = {name: row for name, row in numbers(STORE, work, kept).items() if name not in again}
    for name in KINDS:
        if name not in found:
            print(f"measuring {name}", flush=True)
            prepare(audio_folder / "drums", work.resolve())
            found[name] = measure(name, audio_folder, work)
            write_numbers(work / STORE, found)
    return {name: found[name] for name in KINDS}


def write_page(audio_folder: Path, work: Path, out: Path, again: Sequence[str] = ()) -> None:
    """Write OUT/views.md with its pictures and plots, and keep in OUT/views/measured what they are made of."""
    kept = out / "views" / VIEWS.name
    kept.mkdir(parents=True, exist_ok=True)
    found = figures_of_views(audio_folder, work, kept, again)
    for name in KINDS:
        if name in again or not (out / "views" / f"{name}.png").exists():
            show(name, audio_folder, out / "views")
    sections = figures_of_sections(audio_folder, work, kept, again)
    keep_curves(work, kept)
    learned = curves(work, kept)

    def prepared() -> Path:
        prepare(audio_folder / "drums", work.resolve())
        return work

    anchors = {} if "anchors" in again else numbers(ANCHORS, work, kept)
    all_anchors(learned, anchors, prepared)
    write_numbers(kept / STORE, found)
    write_numbers(kept / MORE, sections)
    write_numbers(kept / ANCHORS, anchors)
    draw_curves(learned, out / "views")
    write_text(out / "views.md", page(found, sections, learned, anchors))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("audio", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--again", nargs="*", default=[], choices=[*KINDS, *SECTIONS, "anchors"], metavar="VIEW")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.work.mkdir(parents=True, exist_ok=True)
    write_page(given.audio, given.work, given.out, given.again)


if __name__ == "__main__":
    main()
