# SPDX-License-Identifier: Apache-2.0
"""Round trip of the lossless picture over a folder of sounds, DC packed and dropped, and the paper's similarity.

    python bench/roundtrip.py FOLDER

Per dc: decibels of the round trip (per file, over both channels), and the similarity of each file and its copy
(Henshaw 2022, section 2.3; there: all >= .90, the best .99997). Each file goes, at its own rate, into a canvas of as
many frames as it fills. Then unrelated pairs (the paper: .0042; both mono apart, whose empty sides agree: .7071 and
more), and mono files by the paper's first treatment of empty channels (its trap: about .65) and by its second.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from spect.audio import read, to_stereo
from spect.cmyk import Cmyk
from spect.errors import SoundError
from spect.similarity import similarity

SUFFIXES = {".wav", ".aif", ".aiff", ".flac", ".ogg", ".mp3"}
FAITHFUL = {"packed": 0.99999, "dropped": 0.90}


def sounds(folder: Path, every: int) -> Iterator[tuple[str, np.ndarray, bool]]:
    """Yield name, stereo sound, and whether its side is empty."""
    for path in sorted(found for found in folder.rglob("*") if found.suffix.lower() in SUFFIXES)[::every]:
        try:
            sound = to_stereo(read(path)[0])
        except SoundError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        yield str(path.relative_to(folder)), sound, bool((sound[0] == sound[1]).all())


def copy_of(sound: np.ndarray, dc: str) -> np.ndarray:
    """Send a sound of any length through as many frames as it needs, and cut it to its length again."""
    frames = -(-sound.shape[1] // 1024)
    form = Cmyk(frames=frames, dc=dc)  # type: ignore[arg-type]
    padded = torch.zeros(2, form.samples)
    padded[:, : sound.shape[1]] = torch.from_numpy(sound)
    return form.decode(form.encode(padded)).numpy()[:, : sound.shape[1]]


def snr_db(sound: np.ndarray, copy: np.ndarray) -> float:
    """Signal over error; infinite where the copy is exact or there is nothing to copy."""
    error = np.square(copy.astype(np.float64) - sound).sum()
    return float(10 * np.log10(np.square(sound.astype(np.float64)).sum() / error)) if error > 0 else float("inf")


def first_treatment(a: np.ndarray, b: np.ndarray) -> float:
    """Return the similarity with the norms floored at epsilon, as the paper first had it."""
    cosines = []
    for sign in (1, -1):
        x, y = (s[0].astype(np.float64) + sign * s[1] for s in (a, b))
        norms = [max(float(np.linalg.norm(v)), float(np.finfo(np.float32).eps)) for v in (x, y)]
        cosines.append(float(x @ y) / (norms[0] * norms[1]))
    return float(np.sqrt(np.mean(np.square(cosines))))


def report(name: str, rows: list[tuple[str, float, float]]) -> None:
    """Print one dc's table."""
    decibels, alike = (np.array([row[i] for row in rows]) for i in (1, 2))
    limit = FAITHFUL[name]
    below = [row for row in rows if row[2] < limit]
    exact = int(np.isinf(decibels).sum())
    worst = rows[int(decibels.argmin())][0]
    print(f"{name}: {len(rows)} files, {exact} of them exact")
    print(f"  round trip   min {decibels.min():7.2f} dB ({worst})   median {np.median(decibels):7.2f} dB")
    print(f"  similarity   min {alike.min():.7f}   median {np.median(alike):.7f}   max {alike.max():.7f}")
    print(f"  >= {limit}   {100 * (1 - len(below) / len(rows)):.2f} % of the files; {len(below)} below:")
    for path, value, likeness in sorted(below, key=lambda row: row[2]):
        print(f"    {likeness:.4f}  {value:6.1f} dB  {path}")


def report_pairs(kept: dict[str, np.ndarray], mono: set[str]) -> None:
    """Print the similarity of unrelated files, first with last by name."""
    names = sorted(kept)
    pairs = [(a, b) for a, b in zip(names, names[::-1], strict=True) if a < b]
    values = {pair: similarity(kept[pair[0]], kept[pair[1]]) for pair in pairs}
    for label, chosen in (
        ("unrelated, stereo", [pair for pair in pairs if not mono.issuperset(pair)]),
        ("unrelated, both mono", [pair for pair in pairs if mono.issuperset(pair)]),
    ):
        if chosen:
            ranked = sorted(chosen, key=lambda pair: values[pair])
            pair = ranked[len(ranked) // 2]
            print(f"{label}: {len(ranked)} pairs, median {values[pair]:.4f} ({' and '.join(pair)})", end=", ")
            print(f"largest {values[ranked[-1]]:.4f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every Nth file")
    given = parser.parse_args()
    torch.set_num_threads(1)
    start = time.perf_counter()
    tables: dict[str, list[tuple[str, float, float]]] = {"packed": [], "dropped": []}
    mono: list[tuple[str, float, float]] = []
    kept: dict[str, np.ndarray] = {}
    for path, sound, is_mono in sounds(given.folder, given.every):
        for dc, rows in tables.items():
            copy = copy_of(sound, dc)
            rows.append((path, snr_db(sound, copy), similarity(sound, copy)))
            if is_mono and dc == "dropped":
                # The paper's copies had rounding noise on their side; here it is put there, at -140 dB.
                noise = 1e-7 * np.random.default_rng(0).standard_normal(sound.shape[1]).astype(np.float32)
                mono.append((path, first_treatment(sound, copy + np.stack([noise, -noise])), rows[-1][2]))
        if len(kept) < 400 and sound.shape[1] > 20000:
            kept[path] = sound
    if not tables["packed"]:
        print(f"{given.folder}: no sounds", file=sys.stderr)
        return 2
    for dc, rows in tables.items():
        report(dc, rows)
    report_pairs(kept, {row[0] for row in mono})
    if mono:
        trapped = np.array([row[1] for row in mono])
        path, trap, right = mono[int(np.abs(trapped - 0.65).argmin())]
        print(f"mono files: {len(mono)}; dropped DC, rounding noise on the side, the paper's first treatment:")
        print(f"  median {np.median(trapped):.4f}, nearest to the paper's .65: {trap:.4f} ({path})")
        print(f"  the same file, side exactly empty, epsilon treatment: dropped {right:.6f}", end=", ")
        print(f"packed {next(row[2] for row in tables['packed'] if row[0] == path):.7f}")
    print(f"{time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
