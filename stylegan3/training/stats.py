# SPDX-License-Identifier: Apache-2.0
"""Means over a tick: sums kept on the device in float64, read once; they travel in the training state."""

import torch
from torch import Tensor

from stylegan3.training.ranks import Ranks, sum_together


class Stats:
    """Named running sums [count, sum, sum of squares]."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = torch.device(device)
        self._sums: dict[str, Tensor] = {}

    def add(self, name: str, values: Tensor) -> None:
        """Add every element of `values` under `name`."""
        x = values.detach().to(torch.float64).flatten()
        moments = torch.stack([torch.full_like(x[:1].sum(), x.numel()), x.sum(), x.square().sum()])
        self._sums[name] = self._sums[name] + moments if name in self._sums else moments

    def take(self, other: "Stats") -> None:
        """Add what another has added up."""
        for name, moments in other._sums.items():
            self._sums[name] = self._sums[name] + moments if name in self._sums else moments.clone()

    def gather(self, ranks: Ranks) -> None:
        """Bring the sums of all ranks together on rank 0; the others are left with zeros."""
        names = sorted(self._sums)
        sums = sum_together(ranks, [self._sums[name] for name in names])
        self._sums = dict(zip(names, sums, strict=True))
        self._keep(ranks)

    def _keep(self, ranks: Ranks) -> None:
        """Leave the sums to rank 0, and their names, which must be the same on all, to the others."""
        if ranks.rank:
            self._sums = {name: torch.zeros_like(moments) for name, moments in self._sums.items()}

    def read(self) -> dict[str, dict[str, float]]:
        """Return {name: {num, mean, std}} of what was added since the last `clear`."""
        result = {}
        for name, moments in sorted(self._sums.items()):
            num, total, squares = moments.tolist()
            if not num:
                continue
            mean = total / num
            result[name] = {"num": num, "mean": mean, "std": max(squares / num - mean * mean, 0.0) ** 0.5}
        return result

    def clear(self) -> None:
        """Begin a new tick."""
        self._sums = {}

    def state(self) -> dict[str, Tensor]:
        """Return the sums, for the training state."""
        return dict(self._sums)

    def load_state(self, sums: dict[str, Tensor], ranks: Ranks) -> None:
        """Take up sums that `state` returned on rank 0."""
        self._sums = {name: tensor.to(self._device) for name, tensor in sums.items()}
        self._keep(ranks)
