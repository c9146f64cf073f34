# SPDX-License-Identifier: Apache-2.0
"""Adaptive discriminator augmentation (Karras et al. 2020, "Training GANs with limited data", section 3.2).

The overfitting heuristic r_t = E[sign D(real)] is held at a target by moving the probability p of every augmentation by
a fixed step. p stays in [0, 1]: a probability above 1 means nothing, though the reference lets it grow. What an
interval measured moves p one iteration after its end, so that nobody waits for the device.
"""

import torch
from torch import Tensor

from stylegan3.training.transfer import Reading


class AdaController:
    """Holds p and the sums of sign(D(real)) since p last moved."""

    def __init__(self, p: float, *, target: float, interval: int, batch: int, kimg: float) -> None:
        self.p = p
        self._target, self._interval = target, interval
        self._step = batch * interval / (kimg * 1000)
        self._sums = torch.zeros(2, dtype=torch.float64)
        self._ended: Reading | None = None

    def observe(self, signs: Tensor) -> None:
        """Take in what D's outputs for the reals of a whole batch add up to. Shape: [sum of signs, number] [2]."""
        self._sums = self._sums.to(signs.device) + signs

    def update(self, iteration: int) -> float | None:
        """End an iteration: p moves by the interval that ended with the one before; return its r_t, or None."""
        signal = self._move() if self._ended is not None else None
        if (iteration + 1) % self._interval == 0:
            self._ended = Reading(self._sums)
            self._sums = torch.zeros_like(self._sums)
        return signal

    def _move(self) -> float | None:
        assert self._ended is not None
        total, count = self._ended.get().tolist()
        self._ended = None
        if not count:
            return None
        signal = total / count
        direction = (signal > self._target) - (signal < self._target)
        self.p = min(max(self.p + direction * self._step, 0.0), 1.0)
        return float(signal)

    def state(self) -> dict[str, Tensor]:
        """Return p, the partial sums and those of an interval that ended just now, for the training state."""
        ended = torch.zeros(2, dtype=torch.float64) if self._ended is None else self._ended.get()
        return {"p": torch.tensor(self.p, dtype=torch.float64), "sums": self._sums, "ended": ended}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take up what `state` returned; an older program's lacks what ended."""
        self.p, self._sums = float(state["p"]), state["sums"].clone()
        ended = state.get("ended")
        self._ended = Reading(ended) if ended is not None and float(ended[1]) else None


def signs_of(logits: Tensor) -> Tensor:
    """Return what an AdaController observes of D's outputs. Shape: [N, 1] -> [2], float64."""
    signs = logits.detach().sign().to(torch.float64)
    return torch.stack([signs.sum(), torch.full_like(signs.sum(), signs.numel())])
