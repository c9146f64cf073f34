# SPDX-License-Identifier: Apache-2.0
"""Sums gathered over the rounds (and ranks) of one iteration, from which running averages move once."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from stylegan3.ops.pointwise import wide


def mean_square(x: Tensor) -> Tensor:
    """Return each picture's mean square, at least float32. Shape: [N, C, H, W] -> [N].

    By planes, whose norms torch sums in float32 whatever the precision and without a copy. float16 couldn't hold them.
    """
    kind = wide(x.dtype)
    norms = torch.linalg.vector_norm(x, dim=(2, 3), dtype=kind if x.dtype == torch.float16 else None).to(kind)
    return norms.square().mean(dim=1) / (x.shape[2] * x.shape[3])


@dataclass
class Moments:
    """Named sums over pictures with the number of pictures in each.

    A network adds to it while it runs; the trainer adds up the rounds and ranks; then update_averages reads the means.
    So the averages don't depend on how a batch was cut up.
    """

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, total: Tensor, count: int) -> None:
        """Add a sum over ``count`` pictures under a name."""
        total = total.detach()
        self.sums[name] = self.sums[name] + total if name in self.sums else total
        self.counts[name] = self.counts.get(name, 0) + count

    def mean(self, name: str) -> Tensor:
        """Return the mean over all pictures added under a name."""
        return self.sums[name] / self.counts[name]
