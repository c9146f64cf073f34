# SPDX-License-Identifier: Apache-2.0
"""Mapping network z (and label c) -> w, with its average and truncation (Karras et al. 2019, sections 2 and 3.2)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from stylegan3.errors import NetworkError
from stylegan3.networks.layers import Dense
from stylegan3.networks.moments import Moments

RATE = 0.01  # learning rate multiplier of the mapping's layers
W_BETA = 0.998  # of w's running average


def normalised(x: Tensor) -> Tensor:
    """Scale each row to unit mean square. Shape: [N, D] -> [N, D]."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class LabelledLayers(nn.Module):
    """z [N, Z] and label c [N, K] -> [N, width]: normalise, embed the label, concatenate, then dense layers.

    The embedding has `embed` numbers, as many as `width` where that is 0.
    """

    def __init__(self, z_dim: int, c_dim: int, width: int, layers: int, embed: int = 0) -> None:
        super().__init__()
        self.z_dim, self.c_dim, embed = z_dim, c_dim, embed or width
        self.embed = Dense(c_dim, embed) if c_dim else None
        sizes = [z_dim + (embed if c_dim else 0)] + [width] * layers
        self.layers = nn.ModuleList(Dense(i, o, act=True, rate=RATE) for i, o in pairwise(sizes))

    def reset(self, rng: torch.Generator) -> None:
        """Draw all weights."""
        for layer in ([self.embed] if self.embed is not None else []) + list(self.layers):
            layer.reset(rng)  # type: ignore[operator]

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights (float32; float64 in checks of gradients)."""
        return next(self.parameters()).dtype

    def hidden(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """Return the last layer's output [N, width]."""
        parts = []
        if self.z_dim:
            if z is None or z.ndim != 2 or z.shape[1] != self.z_dim:
                raise NetworkError(f"z {None if z is None else tuple(z.shape)}: [N, {self.z_dim}] is needed")
            parts.append(normalised(z.to(self.dtype)))
        if self.embed is not None:
            if c is None or c.ndim != 2 or c.shape[1] != self.c_dim:
                raise NetworkError(
                    f"label {None if c is None else tuple(c.shape)}: this network was made with {self.c_dim} classes, "
                    f"it needs [N, {self.c_dim}]"
                )
            parts.append(normalised(self.embed(c.to(self.dtype))))
        x = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        for layer in self.layers:
            x = layer(x)
        return x


class Mapping(LabelledLayers):
    """The generator's mapping: w for each layer, truncated towards the average w."""

    w_avg: Tensor

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, layers: int, num_ws: int, embed: int = 0) -> None:
        super().__init__(z_dim, c_dim, w_dim, layers, embed)
        self.num_ws = num_ws
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        psi: float = 1.0,
        cutoff: int | None = None,
        moments: Moments | None = None,
    ) -> Tensor:
        """Map latents to w.

        Args:
            psi: 1 leaves w, 0 gives the average, between them lies truncation.
            cutoff: truncate the first ``cutoff`` layers only; None truncates all.
            moments: where to add the sum of w, None outside training.

        Shape: z [N, Z], c [N, K] -> [N, num_ws, W].
        """
        w = self.hidden(z, c)
        if moments is not None:
            moments.add("w", w.detach().sum(dim=0), len(w))
        ws = w[:, None].expand(-1, self.num_ws, -1)
        if psi == 1:
            return ws
        cutoff = self.num_ws if cutoff is None else cutoff
        pulled = torch.lerp(self.w_avg, w, psi)[:, None].expand(-1, self.num_ws, -1)
        return pulled if cutoff >= self.num_ws else torch.cat([pulled[:, :cutoff], ws[:, cutoff:]], dim=1)

    @torch.no_grad()
    def update_averages(self, moments: Moments) -> None:
        """Move the average w towards the mean of the w gathered."""
        if "w" in moments.sums:
            self.w_avg.lerp_(moments.mean("w").to(self.w_avg), 1 - W_BETA)
