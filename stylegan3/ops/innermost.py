# SPDX-License-Identifier: Apache-2.0
"""Whether a card convolves pictures faster with channels innermost, measured where it may be.

The products of tensor cores run over channels. Pictures whose channels lie outermost are turned by cuDNN on the way in
and out, or go through slower kernels; how much that costs differs by card, precision and version.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.selftest import draw
from stylegan3.ops.timing import medians

PICTURES, CHANNELS, SIDE = 16, 128, 64  # of a layer in the middle of a discriminator
MARGIN = 1.05  # how many times as fast it must be, more than two measurements differ
LAYOUTS = {"outermost": torch.contiguous_format, "innermost": torch.channels_last}


Way = Callable[[Tensor, Tensor, Tensor, torch.memory_format], Tensor]
"""Convolves pictures [N, C, H, W] whose channels lie outermost in some layout, padding 1; it may scale them [N, C]."""


def convolved(x: Tensor, w: Tensor, scale: Tensor, layout: torch.memory_format) -> Tensor:
    """Convolve pictures that are brought to a layout."""
    return F.conv2d(x.contiguous(memory_format=layout), w, padding=1)


@torch.inference_mode(False)  # whoever asks first may do so in it
@torch.enable_grad()
def milliseconds(device: torch.device, kind: torch.dtype, shape: tuple[int, ...], way: Way) -> dict[str, float]:
    """Return what a 3x3 convolution of pictures [N, C, H, W] and its gradients take, by where channels lie."""
    shapes = ((shape, kind), ((shape[1], shape[1], 3, 3), kind), (shape[:2], torch.float32))
    x, w, scale = (draw(one, seed, own, device).requires_grad_() for seed, (one, own) in enumerate(shapes))

    def passes(layout: torch.memory_format) -> tuple[Tensor, ...]:
        y = way(x, w, scale, layout)
        return torch.autograd.grad(y, (x, w, scale), y.detach(), allow_unused=True)

    calls = {name: lambda layout=layout: passes(layout) for name, layout in LAYOUTS.items()}
    return {name: 1000 * seconds for name, seconds in medians(calls, device).items()}


def gain(device: torch.device, kind: torch.dtype, way: Way = convolved) -> float:
    """Return how many times as fast a card's convolutions are with channels innermost; measured once."""
    if device.index is None:
        device = torch.device(device.type, torch.cuda.current_device())
    return _gain(device, kind, way)


@cache
def _gain(device: torch.device, kind: torch.dtype, way: Way) -> float:
    found = milliseconds(device, kind, (PICTURES, CHANNELS, SIDE, SIDE), way)
    return found["outermost"] / found["innermost"]


def pays(device: torch.device, kind: torch.dtype, way: Way = convolved) -> bool:
    """Return whether pictures should lie so: only where torch may choose by measuring, as results depend on it."""
    return device.type == "cuda" and torch.backends.cudnn.benchmark and gain(device, kind, way) >= MARGIN


def told(device: torch.device, kind: torch.dtype, way: Way = convolved) -> str:
    """Tell the choice and its reason in one line."""
    if not torch.backends.cudnn.benchmark:
        return "channels outermost (nothing may be chosen by measuring)"
    where, times = "innermost" if pays(device, kind, way) else "outermost", gain(device, kind, way)
    return f"channels {where} (measured: convolutions run {times:.2f}x as fast with them innermost)"
