# SPDX-License-Identifier: Apache-2.0
"""Whether a card convolves pictures faster with channels innermost, measured where it may be.

The products of tensor cores run over channels. Pictures whose channels lie outermost are turned by cuDNN on the way in
and out, or go through slower kernels; how much that costs differs by card, precision and version.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops.selftest import draw
from stylegan3.ops.timing import medians

PICTURES, CHANNELS, SIDE = 16, 128, 64  # of a layer in the middle of a discriminator
MARGIN = 1.05  # how many times as fast it must be, more than two measurements differ
LAYOUTS = {"outermost": torch.contiguous_format, "innermost": torch.channels_last}


@torch.inference_mode(False)  # whoever asks first may do so in it
@torch.enable_grad()
def milliseconds(device: torch.device, kind: torch.dtype, shape: tuple[int, ...]) -> dict[str, float]:
    """Return what a 3x3 convolution of pictures [N, C, H, W] and its gradients take, by where channels lie."""
    x, w = draw(shape, 0, kind, device), draw((shape[1], shape[1], 3, 3), 1, kind, device)

    def passes(layout: torch.memory_format) -> tuple[Tensor, ...]:
        pictures, kernels = (t.to(memory_format=layout).requires_grad_() for t in (x, w))
        y = F.conv2d(pictures, kernels, padding=1)
        return torch.autograd.grad(y, (pictures, kernels), y.detach())

    calls = {name: lambda layout=layout: passes(layout) for name, layout in LAYOUTS.items()}
    return {name: 1000 * seconds for name, seconds in medians(calls, device).items()}


@cache
def gain(device: torch.device, kind: torch.dtype) -> float:
    """Return how many times as fast a card's convolutions are with channels innermost."""
    found = milliseconds(device, kind, (PICTURES, CHANNELS, SIDE, SIDE))
    return found["outermost"] / found["innermost"]


def pays(device: torch.device, kind: torch.dtype) -> bool:
    """Return whether pictures should lie so: only where torch may choose by measuring, as results depend on it."""
    return device.type == "cuda" and torch.backends.cudnn.benchmark and gain(device, kind) >= MARGIN


def told(device: torch.device, kind: torch.dtype) -> str:
    """Tell the choice and its reason in one line."""
    if not torch.backends.cudnn.benchmark:
        return "channels outermost (nothing may be chosen by measuring)"
    where = "innermost" if pays(device, kind) else "outermost"
    return f"channels {where} (measured: convolutions run {gain(device, kind):.2f}x as fast with them innermost)"
