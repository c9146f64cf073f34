# SPDX-License-Identifier: Apache-2.0
"""StyleGAN2's synthesis network: a learned constant, modulated convolutions, one picture a resolution, summed.

Karras et al. 2020, sections 2 and 3 ("skip" architecture). Each resolution adds its picture to the filtered, twice as
large picture of the one before. Pictures are float32; the activations may have less precision (ways.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import cast

import torch
from torch import Tensor, nn

from stylegan3.errors import NetworkError
from stylegan3.networks.layers import FIR, Dense, fill_normal, laid_out, parameter
from stylegan3.networks.moments import Moments
from stylegan3.networks.rows import RowGains
from stylegan3.networks.specs import GeneratorSpec, start_grid
from stylegan3.networks.ways import CLAMP, Operated, inside
from stylegan3.ops.convolution import conv2d, conv_doubled
from stylegan3.ops.ends import to_picture
from stylegan3.ops.modulation import demodulation, scaled
from stylegan3.ops.styled import styled
from stylegan3.ops.upfirdn import upfirdn2d

Noise = str | Tensor


class StyledConv(Operated):
    """Modulated 3x3 convolution, noise, bias and leaky relu; ``up`` doubles both sides first.

    Shape: [N, i, H, W] -> [N, o, H', W'] with (H', W') = size.
    """

    noise: Tensor

    def __init__(self, i: int, o: int, w_dim: int, size: tuple[int, int], up: bool) -> None:
        super().__init__()
        self.affine = Dense(w_dim, i, start=1.0)
        self.weight, self.bias = parameter(o, i, 3, 3), parameter(o)
        self.strength = nn.Parameter(torch.empty(()))
        self.register_buffer("noise", torch.empty(size))
        self.size, self.up = size, up

    def reset(self, rng: torch.Generator) -> None:
        """Draw weight and constant noise; noise strength and bias are 0."""
        self.affine.reset(rng)
        fill_normal(self.weight, rng)
        fill_normal(self.noise, rng)
        nn.init.zeros_(self.bias)
        nn.init.zeros_(self.strength)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        styles, weight = self.affine(w), self.weight
        if self.cramped:  # demodulation takes either scale out again
            styles = styles / styles.abs().amax(dim=1, keepdim=True)
            weight = weight / weight[0].numel() ** 0.5
        y = self._convolved(scaled(inside(x, self.inner), styles, impl=self.impl), weight)
        level = None if noise is None else noise * self.strength
        clamp = CLAMP if self.reduced else None
        return styled(y, demodulation(weight, styles), level, self.bias, clamp=clamp, impl=self.impl)

    def _convolved(self, x: Tensor, weight: Tensor) -> Tensor:
        if not self.up:
            return conv2d(x, weight, padding=1, impl=self.impl)
        y = conv_doubled(laid_out(x), weight, impl=self.impl)
        return upfirdn2d(y, FIR, padding=1, gain=4.0, impl=self.impl)


class ToPicture(Operated):
    """Modulated 1x1 convolution to the picture's channels, without demodulation."""

    def __init__(self, i: int, channels: int, w_dim: int) -> None:
        super().__init__()
        self.affine = Dense(w_dim, i, start=1.0)
        self.weight, self.bias = parameter(channels, i, 1, 1), parameter(channels)
        self.scale = 1 / i**0.5

    def reset(self, rng: torch.Generator) -> None:
        """Draw the weights; the bias is 0."""
        self.affine.reset(rng)
        fill_normal(self.weight, rng)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y = to_picture(x, self.weight, self.affine(w) * self.scale, impl=self.impl)
        return y + self.bias[:, None, None]


class Block(Operated):
    """One resolution: (up and) convolve, convolve, add this resolution's picture."""

    def __init__(self, i: int, o: int, spec: GeneratorSpec, size: tuple[int, int]) -> None:
        super().__init__()
        self.first = StyledConv(i, o, spec.w_dim, size, up=True) if i else None
        self.second = StyledConv(o, o, spec.w_dim, size, up=False)
        self.picture = ToPicture(o, spec.shape[0], spec.w_dim)

    @property
    def convs(self) -> list[StyledConv]:
        """The block's styled convolutions in order."""
        return [self.second] if self.first is None else [self.first, self.second]

    def forward(
        self, x: Tensor, total: Tensor | None, ws: Sequence[Tensor], noises: list[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        for k, conv in enumerate(self.convs):
            x = conv(x, ws[k], noises[k])
        picture = self.picture(x, ws[len(self.convs)])
        if total is not None:
            picture = picture + upfirdn2d(total, FIR, up=2, padding=(2, 1, 2, 1), gain=4.0, impl=self.impl)
        return x, picture


class SkipSynthesis(nn.Module):
    """ws [N, num_ws, W] -> pictures [N, C, F, T]."""

    def __init__(self, spec: GeneratorSpec) -> None:
        super().__init__()
        self.num_ws = 2 * int(log2(spec.size)) - 2
        rows, columns = start_grid(spec.shape)
        widths = [min(spec.channel_base // (4 << k), spec.channel_max) for k in range(self.num_ws // 2)]
        sizes = [(rows << k, columns << k) for k in range(len(widths))]
        self.const = parameter(widths[0], rows, columns)
        before = [0, *widths[:-1]]
        self.blocks = nn.ModuleList(Block(i, o, spec, s) for i, o, s in zip(before, widths, sizes, strict=True))
        self.gains = RowGains(spec.row_gains, spec.shape, spec.w_dim) if spec.row_gains else None
        self.noise_size = sum(c.size[0] * c.size[1] for c in self.convs)

    @property
    def convs(self) -> list[StyledConv]:
        """All styled convolutions in order."""
        return [conv for block in self.blocks for conv in cast(Block, block).convs]

    def reset(self, rng: torch.Generator) -> None:
        """Draw the constant and all weights; those of the rows last, so that the others don't depend on them."""
        fill_normal(self.const, rng)
        for block in cast(list[Block], self.blocks):
            for conv in block.convs:
                conv.reset(rng)
            block.picture.reset(rng)
        if self.gains is not None:
            self.gains.reset(rng)

    def noises(self, noise: Noise, batch: int) -> list[Tensor | None]:
        """Return each convolution's noise: its constant, none, or its share of given values [N, noise_size]."""
        if isinstance(noise, str):
            if noise not in ("const", "none"):
                raise NetworkError(f"noise {noise!r}: allowed are 'const', 'none' or a tensor [N, {self.noise_size}]")
            return [c.noise if noise == "const" else None for c in self.convs]
        if noise.shape != (batch, self.noise_size):
            raise NetworkError(f"noise {tuple(noise.shape)}: [{batch}, {self.noise_size}] is needed")
        shares = noise.split([c.size[0] * c.size[1] for c in self.convs], dim=1)
        return [s.reshape(batch, 1, *c.size) for s, c in zip(shares, self.convs, strict=True)]

    def forward(self, ws: Tensor, *, noise: Noise = "const", moments: Moments | None = None) -> Tensor:
        """Make pictures; each resolution's picture layer shares its w with the next resolution's first convolution."""
        noises = self.noises(noise, len(ws))
        x, total = self.const.expand(len(ws), -1, -1, -1), None
        each, at = ws.unbind(1), 0
        for block in cast(list[Block], self.blocks):
            count = len(block.convs)
            x, total = block(x, total, each[at : at + count + 1], noises[at : at + count])
            at += count
        assert total is not None
        return total if self.gains is None else self.gains.applied(total, each[-1])

    def update_averages(self, moments: Moments) -> None:
        """Do nothing: this kind keeps no running averages."""
