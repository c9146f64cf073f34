# SPDX-License-Identifier: Apache-2.0
"""A network trained with --cond makes what it is asked for: low tones, high tones and noise, as their FFT tells."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from patches.generate.choices import Settings
from patches.generate.conditions import Chosen, one_hot
from patches.generate.network import find_networks, open_network
from patches.generate.points import Point
from patches.generate.synthesis import settled, synthesize
from tests.patches.runs.support import RATE, build, call, only_run

SAMPLES = 2 * 32 * 32
EACH = 24  # sounds a class
Band = tuple[float, float] | None  # of pitches, Hz; None is noise
KINDS: dict[str, Band] = {"low": (180.0, 260.0), "high": (1600.0, 2200.0), "noise": None}


def tones(folder: Path) -> Path:
    """Write decaying sounds of the three kinds, from 18 to 30 dB quieter at their end."""
    rng, t = np.random.default_rng(0), np.arange(SAMPLES) / RATE
    for kind, band in KINDS.items():
        (folder / kind).mkdir(parents=True)
        for number in range(EACH):
            plain = np.sin(2 * np.pi * rng.uniform(*band) * t) if band else 0.5 * rng.normal(size=SAMPLES)
            decay = np.minimum(t / 0.01, 1) * np.exp(-t * rng.uniform(8, 14))
            soundfile.write(folder / kind / f"{number:02d}.wav", rng.uniform(0.3, 0.6) * decay * plain, RATE)
    return folder


def centroid_and_flatness(sounds: np.ndarray) -> tuple[float, float]:
    """Median centre of gravity of the power spectra, Hz, and median flatness, 0 a tone to about 0.5 noise."""
    power = np.abs(np.fft.rfft(sounds.mean(axis=1))) ** 2 + 1e-12
    centroid = power @ np.fft.rfftfreq(sounds.shape[-1], 1 / RATE) / power.sum(axis=1)
    flatness = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    return float(np.median(centroid)), float(np.median(flatness))


def heard(run: Path, count: int = 16) -> dict[str, tuple[float, float]]:
    """Generate `count` sounds of each class and measure them."""
    network = open_network(find_networks([str(run)])[0], torch.device("cpu"))
    (kinds,) = network.conditions.sets
    found, seeds = {}, [Point(seed) for seed in range(count)]
    with settled():
        for index, kind in enumerate(kinds.classes):
            asked = Settings(condition=Chosen(network.conditions, (one_hot(kinds, index),)))
            found[kind] = centroid_and_flatness(synthesize(network, seeds, asked).sounds)
    return found


@pytest.mark.slow  # 40 s of one core
def test_a_trained_network_follows_its_class(tmp_path):
    archive = build(tones(tmp_path / "sounds"), tmp_path / "tones.zip", resolution="32x32")
    call(outdir=tmp_path / "runs", data=archive, cond=1, view="mel", view_args="channels=1", cbase=512, cmax=48,
         map_depth=2, gamma=3, glr=0.004, dlr=0.004, aug="noaug", kimg=1.28, tick=0.64, snap=1)  # fmt: skip
    found = heard(only_run(tmp_path / "runs"))
    assert 150 < found["low"][0] < 400
    assert 1500 < found["high"][0] < 2300
    assert found["noise"][1] > 10 * max(found["low"][1], found["high"][1])
