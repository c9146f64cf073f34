# SPDX-License-Identifier: Apache-2.0
"""How well each inverse of log magnitudes finds phases, over a fixed part of a folder of sounds. Prints Markdown.

    python bench/phase.py FOLDER [--part drums --part notes --part loops] [--every 10] [--samples 8192]

Spectral convergence in dB (median, and the worst decile): 20 log10(||found - wanted|| / ||wanted||) over magnitudes,
lower is better, of `logmag` (the mid) and of `stereo` (both channels); and milliseconds of one core a sound. Then,
for files that are stereo, what `stereo` does to the correlation of left and right and to the width (side energy over
mid energy), by default settings. Each file goes at its own rate, cut or padded to --samples; silent ones are left out.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spect.audio import read, to_stereo
from spect.logmag import Logmag
from spect.representation import of_length
from spect.stereo import Stereo

SUFFIXES = {".wav", ".aif", ".aiff", ".flac", ".ogg", ".mp3"}
WAYS: dict[str, dict[str, object]] = {
    "Griffin-Lim, plain, 10 (ElectroGAN)": {"inverse": "griffin-lim", "iterations": 10, "momentum": 0.0},
    "Griffin-Lim, plain, 16 (SpecGAN)": {"inverse": "griffin-lim", "iterations": 16, "momentum": 0.0},
    "Griffin-Lim, accelerated, 32": {"inverse": "griffin-lim", "iterations": 32},
    "Griffin-Lim, accelerated, 100": {"inverse": "griffin-lim", "iterations": 100},
    "PGHI": {"inverse": "pghi"},
    "PGHI, then Griffin-Lim, 16": {"inverse": "pghi+griffin-lim", "iterations": 16},
    "PGHI, then Griffin-Lim, 32 (default)": {"inverse": "pghi+griffin-lim", "iterations": 32},
    "PGHI, then Griffin-Lim, 100": {"inverse": "pghi+griffin-lim", "iterations": 100},
}


def sounds(folder: Path, every: int, samples: int) -> Iterator[Tensor]:
    """Yield stereo sounds that aren't silent. Shape: [2, samples] each."""
    for path in sorted(found for found in folder.rglob("*") if found.suffix.lower() in SUFFIXES)[::every]:
        sound = of_length(torch.from_numpy(to_stereo(read(path)[0])), samples)
        if float(sound.abs().max()) > 1e-3:
            yield sound


def convergence_db(form: Logmag | Stereo, sound: Tensor, found: Tensor) -> float:
    """Compare magnitudes: of the mid with logmag, of both channels with stereo."""
    heard = [x.mean(-2) if isinstance(form, Logmag) else x for x in (sound, found)]
    wanted, got = (form.layout.stft(x).abs().double() for x in heard)
    return float(20 * torch.log10((got - wanted).norm() / wanted.norm()))


def image(sound: Tensor) -> tuple[float, float]:
    """Return the correlation of left and right, and side energy over mid energy."""
    left, right = sound.double()
    power = (left.square().sum() * right.square().sum()).sqrt()
    return float(left @ right / power), float((left - right).square().sum() / (left + right).square().sum())


def convergences(forms: tuple[Logmag | Stereo, ...], chosen: list[Tensor]) -> Iterator[tuple[str, list[list[float]]]]:
    """Measure every way: its name, and for each form median and worst decile in dB, and milliseconds a sound."""
    for label, options in WAYS.items():
        found = []
        for form in forms:
            made = dataclasses.replace(form, **options)  # type: ignore[arg-type]
            values, spent = [], 0.0
            for sound in chosen:
                canvas = made.encode(sound)
                start = time.process_time()
                heard = made.decode(canvas)
                spent += time.process_time() - start
                values.append(convergence_db(made, sound, heard))
            ranked = torch.tensor(values)
            found.append([float(ranked.median()), float(ranked.quantile(0.9)), 1000 * spent / len(chosen)])
        yield label, found


def head(names: Sequence[str]) -> list[str]:
    """Give the head of the table of convergence."""
    columns = "".join(f" {name}: median dB | worst decile | ms |" for name in names)
    return [f"| inverse |{columns}", "|---|" + "---|" * (3 * len(names))]


def line(label: str, found: list[list[float]]) -> str:
    """Lay a way's figures out."""
    return f"| {label} | " + " | ".join(f"{m:.1f} | {worst:.1f} | {ms:.0f}" for m, worst, ms in found) + " |"


def image_kept(form: Stereo, chosen: list[Tensor]) -> str:
    """Tell what happens to the stereo image."""
    wide = [sound for sound in chosen if not torch.equal(sound[0], sound[1]) and bool(sound.any(1).all())]
    if not wide:
        return "no stereo"
    before, after = (torch.tensor([image(x) for x in s]) for s in (wide, [form.decode(form.encode(x)) for x in wide]))
    error = (after - before).abs()
    mono = [form.decode(form.encode(x)) for x in chosen if torch.equal(x[0], x[1])]
    exact = sum(torch.equal(x[0], x[1]) for x in mono)
    (correlation, width), (worst_correlation, worst_width) = error.median(0).values.tolist(), error.amax(0).tolist()
    return (
        f"{len(wide)} stereo: correlation off by {correlation:.5f} (median), {worst_correlation:.5f} (most); "
        f"width by {width:.5f}, {worst_width:.5f}. {len(mono)} mono, {exact} of them still exactly."
    )


def suited(samples: int) -> tuple[Logmag, Stereo]:
    """Give both forms for sounds of a length."""
    return Logmag.suited(44100, samples, 0, 0), Stereo.suited(44100, samples, 0, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", action="append", help="folders in it, each with its own tables; default: itself")
    parser.add_argument("--every", type=int, default=10, help="take every Nth file")
    parser.add_argument("--samples", type=int, default=8192)
    parser.add_argument("--image-only", action="store_true", help="leave out the tables of convergence")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for part in given.part or ["."]:
        chosen = list(sounds(given.folder / part, given.every, given.samples))
        if not chosen:
            print(f"{given.folder / part}: no sounds", file=sys.stderr)
            return 2
        forms = suited(given.samples)
        print(f"\n### {part}: {len(chosen)} sounds of {given.samples} samples\n")
        if not given.image_only:
            print("\n".join(head([f"{form.name} {'x'.join(map(str, form.shape))}" for form in forms])))
            for label, found in convergences(forms, chosen):
                print(line(label, found), flush=True)
        print(f"\n{image_kept(forms[1], chosen)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
