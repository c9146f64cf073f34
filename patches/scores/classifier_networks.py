# SPDX-License-Identifier: Apache-2.0
"""Two small networks that tell classes of sounds apart, one by its spectrogram, one by its samples.

Both hear mono sounds [n, L] of one rate and length, brought to a root-mean-square of 1 (how loud a sound is is another
score's business; silence stays silence), and give d numbers before the last layer:

    spectrogram: log-mel [n, 1, 48, T], a frame every 16 ms (every L / 192 for longer sounds)
                 -> 5x5 convolution of stride 2, norm, ReLU -> 3 times (3x3 convolution, norm, ReLU, max pooling)
                 -> mean and maximum over all places
    waveform:    samples [n, 1, L] -> convolution of 8 ms, one every 2 ms (every L / 2048 for longer sounds), norm, ReLU
                 -> 4 times (convolution of 3, norm, ReLU, max pooling) -> mean and maximum over time
                 (after Dai et al. 2017, Very deep convolutional neural networks for raw waveforms)

norm is batch normalisation. No layer draws anything: randomness is the training's, by explicit generators.
"""

import math
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from patches.errors import UserError
from spect.melbank import filter_bank

Kind = Literal["spectrogram", "waveform"]
KINDS: tuple[Kind, ...] = get_args(Kind)
BANDS = 48
LOWEST_HZ = 40.0
FRAME_SECONDS, MOST_FRAMES = 0.016, 192
FLOOR = 1e-5  # of power, where a sine of root-mean-square 1 has 1: 50 dB below it
STEP_SECONDS, MOST_STEPS = 0.002, 2048
PICTURE_WIDTHS = (16, 32, 64, 128)
SOUND_WIDTHS = (32, 48, 64, 96, 128)
SILENCE = 1e-4  # root-mean-square of what isn't amplified further


class Picture(nn.Module):
    """Sounds -> log-mel pictures. Shape: [n, L] -> [n, 1, 48, T]."""

    bank: Tensor
    window: Tensor

    def __init__(self, rate: int, samples: int) -> None:
        super().__init__()
        self.hop = max(round(rate * FRAME_SECONDS), math.ceil(samples / MOST_FRAMES))
        self.size = 2 ** math.ceil(math.log2(2 * self.hop))
        bank = filter_bank(rate, self.size, BANDS, min(LOWEST_HZ, rate / 8), rate / 2).float()
        self.register_buffer("bank", bank, persistent=False)
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)

    def forward(self, sounds: Tensor) -> Tensor:
        frames = nn.functional.pad(sounds, (self.size // 2, self.size // 2)).unfold(-1, self.size, self.hop)
        power = torch.fft.rfft(frames * self.window).abs().square() * 2 / self.window.sum().square()
        return (power @ self.bank.T + FLOOR).log10().transpose(1, 2)[:, None]


class Network(nn.Module):
    """A stack of blocks, then mean and maximum over all places, then one linear layer.

    Args:
        inputs: from sounds to what the blocks see (a spectrogram), or None.
        blocks: the convolutions.
        width: channels that come out of the blocks.
    """

    def __init__(self, inputs: nn.Module, blocks: nn.Sequential, width: int, classes: int) -> None:
        super().__init__()
        self.inputs, self.blocks, self.last = inputs, blocks, nn.Linear(2 * width, classes)

    def seen(self, sounds: Tensor) -> Tensor:
        """Give what the blocks see. Shape: [n, L] -> [n, 1, 48, T] or [n, 1, L]."""
        return self.inputs(at_one_level(sounds))

    def features(self, seen: Tensor) -> Tensor:
        """Give the numbers before the last layer. Shape: -> [n, 2 * width]."""
        places = self.blocks(seen).flatten(2)
        return torch.cat([places.mean(2), places.amax(2)], dim=1)

    def forward(self, seen: Tensor) -> Tensor:
        return self.last(self.features(seen))


def build(kind: str, rate: int, samples: int, classes: int, generator: torch.Generator) -> Network:
    """Build a network with fresh weights.

    Args:
        samples: L, the length of the sounds.
        generator: draws the weights; on the CPU.

    Raises:
        UserError: an unknown kind.
    """
    if kind not in KINDS:
        raise UserError(f"classifier: got kind {kind!r}; allowed: {', '.join(KINDS)}")
    pictured = kind == "spectrogram"
    with torch.device("meta"):  # so that no layer draws its first weights from torch's global generator
        blocks = _picture_network() if pictured else _sound_network(rate, samples)
        network = Network(nn.Identity(), blocks, (PICTURE_WIDTHS if pictured else SOUND_WIDTHS)[-1], classes)
    network = network.to_empty(device="cpu")
    network.inputs = Picture(rate, samples) if pictured else _Channel()
    _initialise(network, generator)
    return network


def at_one_level(sounds: Tensor) -> Tensor:
    """Bring sounds to a root-mean-square of 1. Shape: [n, L] -> same."""
    return sounds / sounds.square().mean(1, keepdim=True).sqrt().clamp_min(SILENCE)


class _Channel(nn.Module):
    """Shape: [n, L] -> [n, 1, L]."""

    def forward(self, sounds: Tensor) -> Tensor:
        return sounds[:, None]


def _picture_network() -> nn.Sequential:
    first = PICTURE_WIDTHS[0]
    layers: list[nn.Module] = [nn.Conv2d(1, first, 5, 2, padding=2, bias=False), nn.BatchNorm2d(first), nn.ReLU()]
    for before, width in pairwise(PICTURE_WIDTHS):
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2, ceil_mode=True)]
    return nn.Sequential(nn.BatchNorm2d(1), *layers)


def _sound_network(rate: int, samples: int) -> nn.Sequential:
    step = max(round(rate * STEP_SECONDS), math.ceil(samples / MOST_STEPS), 1)
    first = SOUND_WIDTHS[0]
    layers: list[nn.Module] = [nn.Conv1d(1, first, 4 * step, step, padding=2 * step, bias=False)]
    layers += [nn.BatchNorm1d(first), nn.ReLU()]
    for before, width in pairwise(SOUND_WIDTHS):
        layers += [nn.Conv1d(before, width, 3, padding=1, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
        layers += [nn.MaxPool1d(3, ceil_mode=True)]
    return nn.Sequential(*layers)


def _initialise(network: Network, generator: torch.Generator) -> None:
    """Draw convolutions after He et al. 2015 and the last layer small; norms begin as the identity."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=0.01, generator=generator)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.reset_parameters()
