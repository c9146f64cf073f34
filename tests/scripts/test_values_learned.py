# SPDX-License-Identifier: Apache-2.0
"""A network trained with --cond on a number makes what it is asked for: tones as high as their csv says."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from patches.generate.asked import Asked
from patches.generate.choices import Settings
from patches.generate.network import find_networks, open_network
from patches.generate.points import Point
from patches.generate.synthesis import settled, synthesize
from tests.patches.runs.support import RATE, build, call, only_run

SAMPLES = 2 * 32 * 32
TONES, SEEDS = 96, 8
OCTAVES = (0.0, 3.0)  # above 220 Hz, up to 1760
ASKED = np.linspace(0.3, 2.7, 9)


def tones(folder: Path) -> Path:
    """Write decaying tones of pitches drawn anew for each, and their octaves above 220 Hz as a csv; return the csv."""
    rng, t = np.random.default_rng(0), np.arange(SAMPLES) / RATE
    folder.mkdir()
    rows = ["file,octave"]
    for number, octave in enumerate(rng.uniform(*OCTAVES, size=TONES)):
        decay = np.minimum(t / 0.01, 1) * np.exp(-t * rng.uniform(8, 14))
        tone = np.sin(2 * np.pi * (220 * 2**octave * t + rng.uniform()))
        soundfile.write(folder / f"{number:02d}.wav", rng.uniform(0.3, 0.6) * decay * tone, RATE)
        rows.append(f"{number:02d}.wav,{octave:.4f}")
    table = folder.with_suffix(".csv")
    table.write_text("\n".join(rows))
    return table


def octaves(sounds: np.ndarray) -> np.ndarray:
    """Return the power spectra's centres of gravity, octaves above 220 Hz. Shape: [N, 2, L] -> [N]."""
    power = np.abs(np.fft.rfft(sounds.mean(axis=1))) ** 2 + 1e-12
    centroid = power @ np.fft.rfftfreq(sounds.shape[-1], 1 / RATE) / power.sum(axis=1)
    return np.log2(centroid / 220)


def heard(run: Path) -> np.ndarray:
    """Generate the same seeds for each value asked for and measure them. Shape: [values, seeds]."""
    network = open_network(find_networks([str(run)])[0], torch.device("cpu"))
    found, seeds = [], [Point(seed) for seed in range(SEEDS)]
    with settled():
        for value in ASKED:
            (chosen,) = Asked(values=(f"octave={value}",)).choose(network.conditions)
            found.append(octaves(synthesize(network, seeds, Settings(condition=chosen)).sounds))
    return np.stack(found)


@pytest.mark.slow  # 25 s of one core
def test_a_trained_network_follows_a_value(tmp_path):
    table = tones(tmp_path / "tones")
    archive = build(tmp_path / "tones", tmp_path / "tones.zip", resolution="32x32", labels=table)
    told = call(outdir=tmp_path / "runs", data=archive, cond=1, view="mel", view_args="channels=1", cbase=512, cmax=48,
                map_depth=2, gamma=3, glr=0.004, dlr=0.004, aug="noaug", kimg=1.28, tick=0.64, snap=1)  # fmt: skip
    assert "condition octave: a value, 0.0" in told
    found = heard(only_run(tmp_path / "runs"))
    asked = np.broadcast_to(ASKED[:, None], found.shape)
    correlation = np.corrcoef(asked.ravel(), found.ravel())[0, 1]
    assert correlation > 0.8  # .96 when it was written
    assert np.median(found[-1]) - np.median(found[0]) > 1  # of the 2.4 octaves that were asked for; 1.8
