# SPDX-License-Identifier: Apache-2.0
"""Measures what a demonstration made, and says whether it is what a trained network should make.

1. The wav files: finite, distinct, not silent, not clipped, mean below 1 % of the peak.
2. Model space: the mean |y| picture of 64 generated canvases against that of the dataset (Pearson's r over all
   values), for the trained network and for itself untrained (snapshot 000000).
3. Kernel distance (stylegan3/metrics) to the dataset's sounds, on a phase-blind measure and on one of the waveform
   (spect/measures), of the trained network, of itself untrained, and of noise: stationary, Gaussian, with the
   dataset's mean power spectrum in mid and in side. Beside them one half of the dataset against the other.

    python -m examples.check_demo [demo] [--count 128]
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from patches.generate.choices import Settings as Choices
from patches.generate.network import find_networks, open_network
from patches.generate.synthesis import batches, model_space
from patches.views import View
from spect import audio
from spect.archive.reader import Archive
from spect.measures import levels, log_mel_statistics, waveform_features
from spect.representation import of_length
from stylegan3.metrics import kad

TIMES = 3  # better than an untrained network and than noise
CANVASES = 64  # for the mean picture
MEASURES: dict[str, Callable[[Tensor, int], Tensor]] = {"log-mel": log_mel_statistics, "waveform": waveform_features}


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, the figure, what is asked of it, and whether it is so."""

    name: str
    value: str
    wanted: str = ""
    good: bool = True


def check_files(sounds: Tensor) -> list[Row]:
    """Judge generated wav files. Shape: [N, 2, L]."""
    found = levels(sounds)
    dc = float((sounds.mean(-1).abs().amax(1) / found["peak"].clamp_min(1e-12)).max())
    apart = smallest_distance(sounds)
    clipped = float(found["clipped"].max())
    return [
        Row("wav files", str(len(sounds))),
        Row("finite", str(bool(found["finite"].all())), "all", bool(found["finite"].all())),
        Row("quietest, rms", f"{float(found['rms_db'].min()):.1f} dB", "not silent", not bool(found["silent"].any())),
        Row("loudest peak", f"{float(found['peak'].max()):.3f}"),
        Row("clipped samples, worst file", f"{100 * clipped:.2f} %", "0", clipped == 0),
        Row("|mean| / peak, worst file", f"{100 * dc:.3f} %", "< 1 %", dc < 0.01),
        Row("nearest pair, difference / rms", f"{apart:.3f}", "> 0.1", apart > 0.1),
    ]


def smallest_distance(sounds: Tensor) -> float:
    """Smallest rms difference of two sounds, over the louder one's rms. Shape: [N, 2, L] -> a number."""
    flat = sounds.flatten(1).double()
    rms = flat.square().mean(1).sqrt().clamp_min(1e-12)
    difference = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist") / flat.shape[1] ** 0.5
    relative = difference / torch.maximum(rms[:, None], rms)
    return float(relative.fill_diagonal_(torch.inf).min())


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's r of two pictures over all their values. Shape: [C, F, T], [C, F, T] -> a number."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


def shaped_noise(sounds: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Stationary Gaussian noise with the sounds' mean power spectrum, mid and side apart; so of their mean power too.

    Shape: [N, 2, L] -> [count, 2, L].
    """
    mid_side = torch.stack([sounds[:, 0] + sounds[:, 1], sounds[:, 0] - sounds[:, 1]], 1).double() / 2
    power = torch.fft.rfft(mid_side).abs().square().mean(0)  # [2, bins]
    white = torch.randn(count, *mid_side.shape[1:], generator=rng, dtype=torch.float64)
    noise = torch.fft.irfft(torch.fft.rfft(white) * (power / sounds.shape[-1]).sqrt(), n=sounds.shape[-1])
    return torch.stack([noise[:, 0] + noise[:, 1], noise[:, 0] - noise[:, 1]], 1).float()


def generated(snapshot: Path, count: int) -> tuple[Tensor, View]:
    """Seeds 0 to count - 1 in model space, and the way back to sound. Shape: [count, C, F, T]."""
    network = open_network(snapshot, torch.device("cpu"))
    with torch.inference_mode():
        parts = [model_space(network, seeds, Choices()) for seeds in batches(range(count), 16)]
    return torch.cat(parts).clone(), network.view


def check_network(demo: Path, count: int) -> list[Row]:
    """Judge the network against the dataset, itself untrained, and noise."""
    trained_path = find_networks([str(demo / "training")])[0]
    trained, view = generated(trained_path, max(count, CANVASES))
    untrained, _ = generated(trained_path.with_name("network-snapshot-000000.safetensors"), max(count, CANVASES))
    archive = Archive.open(demo / "sounds.zip")
    canvases = torch.from_numpy(archive.canvases(archive.train))
    data = view.picture(archive.representation, canvases)
    mean = data.abs().mean(0)
    r, r_untrained = (correlation(y[:CANVASES].abs().mean(0), mean) for y in (trained, untrained))
    rows = [
        Row("trained for", f"{float(trained_path.stem.removeprefix('network-snapshot-')):g} kimg"),
        Row("mean |y| of 64 canvases: r, trained", f"{r:.3f}", ">= 0.8", r >= 0.8),
        Row("mean |y| of 64 canvases: r, untrained", f"{r_untrained:.3f}", "less", r_untrained < r),
    ]
    real = of_length(archive.representation.decode(canvases), view.samples)
    noise = shaped_noise(real, count, torch.Generator().manual_seed(0))
    sounds = [view.sound(y[:count], range(count)) for y in (trained, untrained)]
    others = {"trained": sounds[0], "untrained": sounds[1], "noise": noise, "real through the view": view.sound(data)}
    for name, measure in MEASURES.items():
        features = measure(real, view.sample_rate)
        scores = {other: kad(features, measure(sounds, view.sample_rate)) for other, sounds in others.items()}
        rows.append(Row(f"KAD {name}: half of the data to the other", f"{kad(features[::2], features[1::2]):.2f}"))
        rows.append(Row(f"KAD {name}: trained", f"{scores['trained']:.2f}"))
        rows.append(Row(f"KAD {name}: real through the view", f"{scores['real through the view']:.2f}"))
        for other in ("untrained", "noise"):
            better = TIMES * scores["trained"] < scores[other]
            rows.append(Row(f"KAD {name}: {other}", f"{scores[other]:.2f}", f"{TIMES} x trained", better))
    return rows


def read_sounds(folder: Path) -> Tensor:
    """Read the generated wav files. Shape: [N, 2, L]."""
    read = [audio.to_stereo(audio.read(path)[0]) for path in sorted(folder.glob("seed*.wav"))]
    if not read:
        raise SystemExit(f"{folder} holds no seed*.wav: run `make demo` first.")
    return torch.from_numpy(np.stack(read))


def table(rows: list[Row]) -> str:
    """Lay rows out for a terminal."""
    width = max(len(row.name) for row in rows) + 2
    judged = {True: "ok", False: "NOT SO"}
    return "\n".join(
        f"{row.name:<{width}}{row.value:>12}  {row.wanted:<20}{judged[row.good] if row.wanted else ''}".rstrip()
        for row in rows
    )


def main(arguments: list[str] | None = None) -> None:
    """The command line; exit code 1 where something isn't as it should be."""
    parser = argparse.ArgumentParser(prog="python -m examples.check_demo", description="Measure a demonstration.")
    parser.add_argument("demo", type=Path, nargs="?", default=Path("demo"), help="its folder")
    parser.add_argument("--count", type=int, default=128, help="generated sounds for the kernel distances")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # the same last bits everywhere
    rows = check_files(read_sounds(given.demo / "new_sounds")) + check_network(given.demo, given.count)
    print(table(rows))
    raise SystemExit(0 if all(row.good for row in rows) else 1)


if __name__ == "__main__":
    main()
