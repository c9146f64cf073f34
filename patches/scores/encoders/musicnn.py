# SPDX-License-Identifier: Apache-2.0
"""musicnn's MTT_vgg: 256 numbers of the music in a sound, from a network that tagged 19 000 tracks (MagnaTagATune).

Pons and Serra 2019, musicnn: pre-trained convolutional neural networks for music audio tagging; weights in the PyPI
package musicnn 0.1.0 (ISC), read by checkpoint.py, nothing of the package is imported. A sound at 16 kHz mono becomes
log10(1 + 10000 mel) of 96 bands (Slaney's, of equal area; Hann window of 512, hop of 256), 187 frames a window:

    x [n, 1, 187, 96] -> norm -> 5 times (3x3 convolution to 128, ReLU, norm, max pooling)  -> [n, 128, 2, 1]
      -> 256 numbers, time before channel: the embedding -> dense -> sigmoid: 50 tags

where norm is batch normalisation by the moving statistics. Sizes and pooling are those of the checkpoint's own tensors
and graph.
"""

import math
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from patches.errors import UserError
from patches.scores.encoders.checkpoint import read_floats, read_index
from patches.scores.encoders.encoder import Encoder, mono
from patches.scores.encoders.packages import package_file
from spect.melbank import hz_to_mel, mel_to_hz

RATE = 16000
WINDOW, HOP, BANDS, FRAMES = 512, 256, 96, 187
SAMPLES = (FRAMES - 1) * HOP  # 2.976 s: with centred frames these make 187
CHANNELS = 128
POOLING = (((4, 1), 2), ((2, 2), 2), ((2, 2), 2), ((2, 2), 2), ((4, 4), 4))  # (time, band), stride
EPSILON = 1e-3
AT_A_TIME = 16  # windows
INSTALL = "pip install --no-deps musicnn==0.1.0"
WHAT = (
    "256 numbers from a network that learned 50 tags of music; mono at 16 kHz, mean over windows of 3 s spread evenly "
    "over the sound; a shorter sound is repeated to 3 s, as in its training"
)
TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip


class Vgg(nn.Module):
    """The network. Shape: [n, 1, 187, 96] -> [n, 256]."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(size, EPSILON) for size in (1, *[CHANNELS] * len(POOLING)))
        sizes = (1, *[CHANNELS] * (len(POOLING) - 1))
        self.convolutions = nn.ModuleList(nn.Conv2d(size, CHANNELS, 3, padding=1) for size in sizes)
        self.tags = nn.Linear(2 * CHANNELS, len(TAGS))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norms[0](x)
        for convolution, norm, (size, stride) in zip(self.convolutions, self.norms[1:], POOLING, strict=True):
            x = functional.max_pool2d(norm(convolution(x).relu()), size, stride)
        return x[..., 0].transpose(1, 2).flatten(1)  # TensorFlow flattens time before channel


def musicnn() -> Encoder:
    """Give the encoder.

    Raises:
        UserError: the package isn't installed.
    """
    network = load_vgg(weights())
    return Encoder("musicnn", "musicnn MTT_vgg 0.1.0", WHAT, lambda sounds, rate: embed(network, sounds, rate).mean(1))


def weights() -> Path:
    """Find the checkpoint's index; UserError where the package isn't installed."""
    return package_file("musicnn", "MTT_vgg/.index", INSTALL)


def embed(network: Vgg, sounds: Tensor, rate: int) -> Tensor:
    """Embed windows of sounds. Shape: [N, 1 or 2, L] -> [N, windows, 256]."""
    pictures = windows(log_mel(mono(sounds, rate, RATE)))  # [N, windows, 187, 96]
    network.to(sounds.device)
    parts = [network(part[:, None]) for part in pictures.flatten(0, 1).split(AT_A_TIME)]
    return torch.cat(parts).unflatten(0, pictures.shape[:2])


def tags(network: Vgg, sounds: Tensor, rate: int) -> Tensor:
    """Give the probability of each of TAGS, the mean over windows. Shape: [N, 1 or 2, L] -> [N, 50]."""
    with torch.no_grad():
        return network.tags(embed(network, sounds, rate)).sigmoid().mean(1)


def log_mel(sounds: Tensor) -> Tensor:
    """Return log10(1 + 10000 mel); a sound below 3 s is repeated. Shape: [N, L] -> [N, at least 187, 96]."""
    if sounds.shape[1] < SAMPLES:
        sounds = sounds.repeat(1, math.ceil(SAMPLES / sounds.shape[1]))[:, :SAMPLES]
    padded = functional.pad(sounds, (WINDOW // 2, WINDOW // 2), mode="reflect")
    frames = padded.unfold(-1, WINDOW, HOP) * torch.hann_window(WINDOW, device=sounds.device)
    return torch.log10(1 + 10000 * torch.fft.rfft(frames).abs().square() @ mel_weights().to(sounds).T)


@lru_cache(maxsize=1)
def mel_weights() -> Tensor:
    """Return triangles evenly spaced on Slaney's mel scale, of area 1 over Hz: librosa's. Shape: [96, 257]."""
    highest = float(hz_to_mel(torch.tensor(RATE / 2, dtype=torch.float64), "slaney"))
    corners = mel_to_hz(torch.linspace(0, highest, BANDS + 2, dtype=torch.float64), "slaney")[:, None]
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    hz = torch.arange(WINDOW // 2 + 1, dtype=torch.float64) * RATE / WINDOW
    rising, falling = (hz - left) / (centre - left), (right - hz) / (right - centre)
    return torch.minimum(rising, falling).clamp_min(0) * 2 / (right - left)


def windows(mel: Tensor) -> Tensor:
    """Cut out as few windows as cover the sound, spread evenly. Shape: [N, T, 96] -> [N, windows, 187, 96]."""
    count = math.ceil(mel.shape[1] / FRAMES)
    starts = torch.linspace(0, mel.shape[1] - FRAMES, count).round().long().tolist()
    return torch.stack([mel[:, start : start + FRAMES] for start in starts], dim=1)


def load_vgg(index: Path) -> Vgg:
    """Read the weights by the path of the checkpoint's index."""
    entries = read_index(index)
    network, names = Vgg().eval().requires_grad_(False), _names()
    if missing := sorted(set(names.values()) - entries.keys()):
        raise UserError(f"{index}: not MTT_vgg's checkpoint: {missing[0]} isn't in it; do: {INSTALL}")
    values = read_floats(index, {name: entries[name] for name in names.values()})
    state = {own: torch.from_numpy(values[theirs].copy()) for own, theirs in names.items()}
    # TensorFlow's [height, width, in, out] and [in, out]
    turned = {own: value.permute(3, 2, 0, 1) if value.ndim == 4 else value.T if value.ndim == 2 else value
              for own, value in state.items()}  # fmt: skip
    network.load_state_dict(turned, strict=False)
    return network


def _names() -> dict[str, str]:
    """Pair the network's parameters with the checkpoint's tensors."""
    pairs = {"tags.weight": "dense/kernel", "tags.bias": "dense/bias"}
    for at in range(len(POOLING)):
        pairs |= {f"convolutions.{at}.weight": f"{at + 1}CNN/kernel", f"convolutions.{at}.bias": f"{at + 1}CNN/bias"}
    statistics = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    for at in range(len(POOLING) + 1):
        theirs = "batch_normalization" + (f"_{at}" if at else "")
        pairs |= {f"norms.{at}.{own}": f"{theirs}/{name}" for own, name in statistics.items()}
    return pairs
