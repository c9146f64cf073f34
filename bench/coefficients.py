# SPDX-License-Identifier: Apache-2.0
"""The views whose values are coefficients, linear in the sound: what each costs, and what errors do to it.

    python bench/coefficients.py [FOLDER]

Pictures a second, encode and decode, of cmyk, lapped and stft with pictures of one size, on one CPU thread and on a GPU
where there is one; in brackets as a part of cmyk's, measured in turn in the same run, best of several. A picture of
stft holds half the sound of one of cmyk and lapped (hop window/2).

With a FOLDER of sounds, for each view: decibels of the round trip; the signal over the error (SNR, median) of 1 and 5 %
of random error in model space (companded by the folder's own scales); and the edge (spect/edges.py, pooled over all
sounds; 1.0 is none) of that error alone at 1 %, of 1 % of error on each value, and of the sounds with it (median).
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from patches.fitting import row_maxima
from patches.scaling import Compand, Scaling, floored_scales
from patches.views.stft import moduli
from spect.audio import read, to_stereo
from spect.cmyk import Cmyk
from spect.edges import frame_edge
from spect.errors import SoundError
from spect.lapped import Lapped
from spect.stft import Stft

SIZES = ((512, 1), (64, 8))  # rows = frames, pictures at once
GPU_SIZES = ((512, 16), (64, 512))
ROUNDS = 40
ROWS, FRAMES = 256, 256
FORMATS = ("9.1f", "13.1f", "8.1f", "20.2f", "18.2f", "17.2f")  # of the columns
SUFFIXES = {".wav", ".aif", ".aiff", ".flac", ".ogg", ".mp3"}
Form = Cmyk | Lapped | Stft


def best_seconds(work: Mapping[str, Callable[[], Tensor]], device: str) -> dict[str, float]:
    """Run all in turn, several times; return the shortest of each, the first time left out."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(ROUNDS + 1):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            if device == "cuda":
                torch.cuda.synchronize()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: min(taken) for name, taken in seconds.items()}


def speeds(device: str, sizes: tuple[tuple[int, int], ...]) -> None:
    """Print pictures a second."""
    print(f"pictures a second on {device}")
    for side, count in sizes:
        forms: dict[str, Form] = {
            "cmyk": Cmyk(rows=side, frames=side),
            "lapped": Lapped(rows=side, frames=side),
            "stft": Stft(rows=side, frames=side),
        }
        rng = torch.Generator().manual_seed(0)
        sounds = {n: torch.rand(count, 2, f.samples, generator=rng).sub(0.5).to(device) for n, f in forms.items()}
        canvases = {name: form.encode(sounds[name]) for name, form in forms.items()}
        encode = {name: partial(form.encode, sounds[name]) for name, form in forms.items()}
        decode = {name: partial(form.decode, canvases[name]) for name, form in forms.items()}
        for way, work in (("encode", encode), ("decode", decode)):
            taken = best_seconds(work, device)
            told = [f"{n} {count / s:9.1f} ({taken['cmyk'] / s:.2f})" for n, s in taken.items()]
            print(f"  {side}x{side}, {count} at once, {way}: {', '.join(told)}")


def sounds_of(folder: Path, samples: int, every: int = 1) -> Tensor:
    """Read a folder's sounds, each or every Nth, cut or filled up to one length. Shape: [N, 2, L]."""
    kept = []
    for path in sorted(found for found in folder.rglob("*") if found.suffix.lower() in SUFFIXES)[::every]:
        try:
            sound = torch.from_numpy(np.ascontiguousarray(to_stereo(read(path)[0])[:, :samples]))
        except SoundError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        if sound.any():
            kept.append(torch.nn.functional.pad(sound, (0, samples - sound.shape[1])))
    if not kept:
        raise SystemExit(f"{folder}: no sounds")
    return torch.stack(kept)


def companding(form: Form, canvas: Tensor) -> Scaling:
    """Fit the scaling that the view has."""
    if isinstance(form, Lapped):
        return Compand.fit(floored_scales(row_maxima([canvas], torch.abs), None), pairs=False)
    *rows, dc = row_maxima([canvas], moduli)
    return Compand.fit(floored_scales(rows, dc))


def snr_db(sounds: Tensor, copies: Tensor) -> float:
    """Signal over error, the median of all sounds."""
    error = (copies - sounds).double().square().sum((1, 2)).clamp_min(1e-30)
    return float((10 * torch.log10(sounds.double().square().sum((1, 2)) / error)).median())


def errors(sounds: Tensor) -> Iterator[tuple[str, list[float]]]:
    """Measure what errors do to each view: the round trip, SNR at 1 and 5 %, and the three edges."""
    half = FRAMES * 2
    forms: list[tuple[str, Form, int]] = [
        ("cmyk", Cmyk(rows=ROWS, frames=FRAMES), 2 * ROWS),
        ("lapped sine", Lapped(rows=ROWS, frames=FRAMES), ROWS),
        ("lapped kbd", Lapped(rows=ROWS, frames=FRAMES, window="kbd"), ROWS),
        ("stft sine, W/2", Stft(rows=ROWS, frames=half), ROWS),
        ("stft hann, W/2", Stft(rows=ROWS, frames=half, window="hann"), ROWS),
        ("stft sine, W/4", Stft(rows=ROWS, frames=2 * half, overlap=4), ROWS // 2),
        ("stft hann, W/4", Stft(rows=ROWS, frames=2 * half, overlap=4, window="hann"), ROWS // 2),
    ]
    for name, form, hop in forms:
        canvas = form.encode(sounds)
        scaling = companding(form, canvas)
        picture = scaling.to_model(canvas)
        noise = torch.randn(canvas.shape, generator=torch.Generator().manual_seed(0))
        one, five = (form.decode(scaling.from_model(picture + size * noise)) for size in (0.01, 0.05))
        each = form.decode(canvas + 0.01 * canvas * noise)
        edges = [float(frame_edge((heard - sounds).flatten(0, 1), hop)) for heard in (one, each)]
        edges.append(float(frame_edge(each, hop).median()))
        ratios = [snr_db(sounds, heard) for heard in (form.decode(canvas), one, five)]
        yield name, [*ratios, *edges]


def told(sounds: Tensor) -> None:
    """Print what errors do."""
    print(f"{len(sounds)} sounds of {sounds.shape[-1]} samples, {ROWS} rows")
    print("  view            round trip   SNR at 1 %   at 5 %   edge of it at 1 %   of 1 % a value   of the sounds")
    for name, found in errors(sounds):
        print(f"  {name:18s}{''.join(f'{value:{width}}' for value, width in zip(found, FORMATS, strict=True))}")
    alone = [f"{float(frame_edge(sounds, hop).median()):.2f} at a hop of {hop}" for hop in (512, 256, 128)]
    print(f"  the sounds themselves: {', '.join(alone)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode():
        speeds("cpu", SIZES)
        if torch.cuda.is_available():
            speeds("cuda", GPU_SIZES)
        if given.folder is not None:
            told(sounds_of(given.folder, 2 * ROWS * FRAMES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
