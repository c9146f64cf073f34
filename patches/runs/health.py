# SPDX-License-Identifier: Apache-2.0
"""Is the training alive: level against the data's, diversity of a fixed batch, silent and non-finite outputs.

Losses of a GAN don't show collapse or drift; these do, from the same few seeds at every tick.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SILENT_PEAK = 1e-3  # -60 dBFS
FLOOR_DB = 120.0
QUIETER_DB, LOUDER_DB = -12.0, 12.0
COLLAPSED = 0.1  # of the data's own diversity


@dataclass(frozen=True)
class Health:
    """Measures of a fixed batch.

    Args:
        level_db: rms of the sounds against the data's.
        diversity: mean distance between two pictures against the data's.
        silent, nonfinite: shares of the batch.
    """

    level_db: float
    diversity: float
    silent: float
    nonfinite: float

    def warnings(self) -> list[str]:
        """Return what a person should look at, in a few words each."""
        found = []
        if self.nonfinite:
            found.append(f"{self.nonfinite:.0%} of the outputs are not finite")
        if self.silent > 0.25:
            found.append(f"{self.silent:.0%} of the outputs are silent")
        if not self.nonfinite and self.diversity < COLLAPSED:
            found.append("the outputs are nearly all the same: collapse")
        if not self.nonfinite and not QUIETER_DB < self.level_db < LOUDER_DB:
            found.append(f"the level drifts: {self.level_db:+.0f} dB against the data's")
        return found


class Watch:
    """Compares fixed batches with the data.

    Args:
        sound: model space -> sound; None: pictures themselves are compared.
        reals: pictures of the data in model space. Shape: [N, C, F, T].
    """

    def __init__(self, reals: Tensor, sound: Callable[[Tensor], Tensor] | None) -> None:
        self._sound = sound
        self._level = float(_rms(self._heard(reals)).mean())
        self._diversity = float(pairwise_distance(reals))

    def look(self, pictures: Tensor) -> Health:
        """Measure a batch. Shape: [N, C, F, T] in model space."""
        finite = torch.isfinite(pictures).flatten(1).all(1)
        good = pictures[finite]
        nonfinite = 1 - float(finite.float().mean())
        if len(good) < 2:
            return Health(-FLOOR_DB, 0.0, 0.0, nonfinite)
        heard = self._heard(good)
        level = float(_rms(heard).mean())
        return Health(
            level_db=max(20 * math.log10(max(level, 1e-12) / max(self._level, 1e-12)), -FLOOR_DB),
            diversity=float(pairwise_distance(good)) / max(self._diversity, 1e-12),
            silent=float((heard.flatten(1).abs().amax(1) < SILENT_PEAK).float().mean()) if self._sound else 0.0,
            nonfinite=nonfinite,
        )

    def _heard(self, pictures: Tensor) -> Tensor:
        return pictures if self._sound is None else self._sound(pictures)


def _rms(x: Tensor) -> Tensor:
    return x.flatten(1).square().mean(1).sqrt()


def pairwise_distance(pictures: Tensor) -> Tensor:
    """Return the mean Euclidean distance over all pairs. Shape: [N, C, F, T] -> []."""
    return torch.pdist(pictures.flatten(1)).mean()
