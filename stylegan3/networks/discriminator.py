# SPDX-License-Identifier: Apache-2.0
"""The discriminator of every configuration: StyleGAN2's residual network (Karras et al. 2020, section 3).

Label conditioning by projection (Miyato and Koyama 2018). Differentiable twice, for R1. The first layer and the head
are float32; the activations between them may have less precision (ways.py).
"""

from __future__ import annotations

from itertools import pairwise
from math import log2

import torch
from torch import Tensor, nn

from stylegan3.errors import NetworkError
from stylegan3.networks.layers import FIR, Conv, Dense, FromPicture
from stylegan3.networks.mapping import LabelledLayers
from stylegan3.networks.specs import DiscriminatorSpec, start_grid
from stylegan3.networks.ways import Operated
from stylegan3.ops.upfirdn import upfirdn2d

HALF = 0.5**0.5  # both branches of a residual block, so that their sum keeps its variance


def group_deviation(x: Tensor, group: int, sets: int = 1) -> Tensor:
    """Append one channel: the mean standard deviation over groups of pictures, against collapse to one picture.

    Of N pictures in groups of g, group j holds pictures j, j + N/g, j + 2N/g, ... Several sets of N pictures, one after
    the other, share no group.
    Shape: [sets N, C, H, W] -> [sets N, C + 1, H, W].

    Raises:
        NetworkError: where the pictures don't fill whole groups.
    """
    n, h, w = len(x) // sets, x.shape[2], x.shape[3]
    group = max(1, min(group, n))
    if len(x) % sets or n % group:
        raise NetworkError(f"{len(x)} pictures don't fill groups of {group}: give a multiple of {sets * group}")
    grouped = x.reshape(sets, group, n // group, -1)
    deviation = (grouped.var(dim=1, correction=0) + 1e-8).sqrt().mean(dim=2)
    each = deviation.repeat(1, group).view(-1, 1, 1, 1)
    return torch.cat([x, each.expand(-1, -1, h, w)], dim=1)


class Halve(Operated):
    """A residual block to half the resolution. Shape: [N, i, H, W] -> [N, o, H/2, W/2]."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.first = Conv(i, i, 3)
        self.second = Conv(i, o, 3, stride=2, gain=HALF)
        self.skip = Conv(i, o, 1, act=False, gain=HALF)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(upfirdn2d(self.first(x), FIR, padding=2, impl=self.impl))
        return y + self.skip(upfirdn2d(x, FIR, down=2, padding=1, impl=self.impl))


class Discriminator(Operated):
    """Pictures [N, C, F, T] (and labels [N, K]) -> logits [N, 1]."""

    def __init__(self, spec: DiscriminatorSpec) -> None:
        super().__init__()
        self.spec = spec
        levels = range(int(log2(spec.size)), 1, -1)
        widths = [min(spec.channel_base >> k, spec.channel_max) for k in levels]
        last, (rows, columns) = widths[-1], start_grid(spec.shape)
        self.entry = FromPicture(spec.shape[0], widths[0])
        self.blocks = nn.ModuleList(Halve(i, o) for i, o in pairwise(widths))
        self.conv = Conv(last + 1, last, 3)
        self.dense = Dense(last * rows * columns, last, act=True)
        label_dim = (spec.label_dim or last) if spec.c_dim else 0
        self.out = Dense(last, label_dim or 1)
        layers = (label_dim, spec.mapping_layers, spec.embed_dim)
        self.labels = LabelledLayers(0, spec.c_dim, *layers) if label_dim else None

    def reset(self, rng: torch.Generator) -> None:
        """Draw all weights."""
        for module in self.modules():
            if isinstance(module, (Conv, Dense)):
                module.reset(rng)

    def forward(self, x: Tensor, c: Tensor | None = None, *, sets: int = 1) -> Tensor:
        """Score pictures.

        Args:
            sets: how many sets, as large as each other, the pictures are whose scores don't depend on each other.

        Raises:
            NetworkError: for pictures of another shape, missing labels or groups that aren't whole.
        """
        if x.ndim != 4 or tuple(x.shape[1:]) != self.spec.shape:
            raise NetworkError(f"pictures {tuple(x.shape)}: [N, {', '.join(map(str, self.spec.shape))}] is needed")
        y = self.entry(x)
        for block in self.blocks:
            y = block(y)
        y = y.to(self.entry.weight.dtype)
        y = self.dense(self.conv(group_deviation(y, self.spec.mbstd_group, sets)).flatten(1))
        y = self.out(y)
        if self.labels is None:
            return y
        embedding = self.labels.hidden(None, c)
        return (y * embedding).sum(dim=1, keepdim=True) / embedding.shape[1] ** 0.5
