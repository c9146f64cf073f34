# SPDX-License-Identifier: Apache-2.0
"""A tiny archive of sounds that anyone tells apart: low tones, high tones and noises, 128 ms each."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from spect.archive.reader import Archive
from tests.patches.runs.support import RATE, build

CLASSES = ("high", "low", "noise")
SAMPLES = 1024


def tones(folder: Path, each: int = 40, **options: Any) -> Archive:
    """Write the sounds and build the archive, a quarter held out unless told otherwise."""
    rng = np.random.default_rng(0)
    t = np.arange(SAMPLES) / RATE
    for number in range(each * len(CLASSES)):
        name = CLASSES[number % len(CLASSES)]
        octave = {"high": 2, "low": 0, "noise": 0}[name]
        sound = np.sin(2 * np.pi * 300 * 2 ** (octave + rng.uniform(0, 1)) * t + rng.uniform(0, 6))
        if name == "noise":
            sound = 0.4 * rng.standard_normal(SAMPLES)
        path = folder / "sounds" / name / f"{number:03d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.5 * sound * np.exp(-t * rng.uniform(2, 20)), RATE)
    return Archive.open(build(folder / "sounds", folder / "tones.zip", **{"holdout": 0.25, **options}))
