# SPDX-License-Identifier: Apache-2.0
"""Adaptive discriminator augmentation (Karras et al. 2020, "Training GANs with limited data", section 3.2).

The overfitting heuristic r_t = E[sign D(real)] is held at a target by moving the probability p of every augmentation by
a fixed step. p stays in [0, 1]: a probability above 1 means nothing, though the reference lets it grow.
"""

import torch
from torch import Tensor


class AdaController:
    """Holds p and the sums of sign(D(real)) since p last moved."""

    def __init__(self, p: float, *, target: float, interval: int, batch: int, kimg: float) -> None:
        self.p = p
        self._target, self._interval = target, interval
        self._step = batch * interval / (kimg * 1000)
        self._sums = torch.zeros(2, dtype=torch.float64)

    def observe(self, logits: Tensor) -> None:
        """Take in D's outputs for reals. Shape: [N, 1]."""
        signs = logits.detach().sign().to(torch.float64)
        self._sums = self._sums.to(signs.device) + torch.stack(
            [signs.sum(), torch.full_like(signs.sum(), signs.numel())]
        )

    def update(self, iteration: int) -> float | None:
        """Move p where this iteration ends an interval; return the measured r_t, or None."""
        if (iteration + 1) % self._interval:
            return None
        total, count = self._sums.tolist()
        if not count:
            return None
        signal = total / count
        direction = (signal > self._target) - (signal < self._target)
        self.p = min(max(self.p + direction * self._step, 0.0), 1.0)
        self._sums = torch.zeros_like(self._sums)
        return signal

    def state(self) -> dict[str, Tensor]:
        """Return p and the partial sums, for the training state."""
        return {"p": torch.tensor(self.p, dtype=torch.float64), "sums": self._sums}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned."""
        self.p, self._sums = float(state["p"]), state["sums"].clone()
