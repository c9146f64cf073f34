# SPDX-License-Identifier: Apache-2.0
"""What a network may know of its rows where, unlike columns, they differ in kind: learned profiles, weighed by w.

    y[c, r] = g / sqrt(N) * sum over n of  a[c, n] s_n(w) p_n[r],        s(w) = 1 + A w

The profiles p and A start at 0, so that an untrained network is the same with and without; the weights a start at
random, so that from the first step on every row learns by itself, as sharply as it likes. (The other way round, random
profiles whose weights start at 0, single rows aren't to be had at first, and random structure comes in.) g slows the
profiles down: a step of theirs moves whole rows of every picture at once.
"""

from __future__ import annotations

from math import floor, pi

import torch
from torch import Tensor, nn

from stylegan3.networks.layers import Dense, fill_normal, parameter

RATE = 0.1  # g


class RowProfiles(nn.Module):
    """A sum of ``count`` learned profiles along the rows for each channel. Shape: w [N, W] -> [N, channels, rows, 1].

    Args:
        waves: [B, rows], of which each profile is a mixture; None leaves every row free.
    """

    waves: Tensor | None

    def __init__(self, count: int, channels: int, w_dim: int, rows: int, waves: Tensor | None = None) -> None:
        super().__init__()
        self.affine = Dense(w_dim, count, start=1.0)
        self.weight = parameter(channels, count)
        self.profiles = parameter(count, rows if waves is None else len(waves))
        self.register_buffer("waves", waves, persistent=False)

    @torch.no_grad()
    def reset(self, rng: torch.Generator) -> None:
        """Draw the weights; profiles, and what w changes, start at 0."""
        self.affine.reset(rng)
        nn.init.zeros_(self.affine.weight)
        fill_normal(self.weight, rng)
        nn.init.zeros_(self.profiles)

    def forward(self, w: Tensor) -> Tensor:
        profiles = self.profiles if self.waves is None else self.profiles @ self.waves
        shares = self.affine(w)[:, :, None] * profiles * (RATE / len(profiles) ** 0.5)  # [N, n, rows]
        return torch.matmul(self.weight, shares)[..., None]


class RowGains(RowProfiles):
    """A gain and an offset for each row and channel of a picture. Shape: [N, C, F, T] -> same."""

    def __init__(self, count: int, shape: tuple[int, int, int], w_dim: int) -> None:
        super().__init__(count, 2 * shape[0], w_dim, shape[1])

    def applied(self, picture: Tensor, w: Tensor) -> Tensor:
        """Return the picture times (1 + gain) plus offset."""
        gain, offset = self(w).chunk(2, dim=1)
        return torch.addcmul(picture + offset, picture, gain)


def slow_waves(rows: int, rate: float, cutoff: float) -> Tensor:
    """Return the waves of whole cycles along a canvas up to a band limit, of mean square 1 together.

    Args:
        rate, cutoff: samples, and cycles at most, in the same unit of length.

    Shape: [2K + 1, rows], K = floor(cutoff rows / rate).
    """
    cycles = torch.arange(floor(cutoff * rows / rate) + 1)[:, None]
    angle = 2 * pi * cycles * torch.arange(rows) / rows
    return torch.cat([angle.cos(), angle.sin()[1:]]) / len(cycles) ** 0.5
