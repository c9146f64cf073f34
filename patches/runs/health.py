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
AT_A_TIME = 8  # pictures that are decoded together


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
        if self.nonfinite < 1 and self.diversity < COLLAPSED:
            found.append("the outputs are nearly all the same: collapse")
        if self.nonfinite < 1 and not QUIETER_DB < self.level_db < LOUDER_DB:
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
        self._level = float(self._levels(reals)[0].mean())
        self._diversity = float(pairwise_distance(reals))

    @torch.no_grad()
    def look(self, pictures: Tensor) -> Health:
        """Measure a batch. Shape: [N, C, F, T] in model space."""
        good = pictures[torch.isfinite(pictures).flatten(1).all(1)]
        nonfinite = 1 - len(good) / len(pictures)
        if not len(good):
            return Health(-FLOOR_DB, 0.0, 0.0, nonfinite)
        rms, peak = self._levels(good)
        ratio = max(float(rms.mean()), 1e-12) / max(self._level, 1e-12)
        return Health(
            level_db=min(max(20 * math.log10(ratio), -FLOOR_DB), FLOOR_DB),
            diversity=float(pairwise_distance(good)) / self._diversity if self._diversity > 0 else 1.0,
            silent=float((peak < SILENT_PEAK).float().mean()) if self._sound else 0.0,
            nonfinite=nonfinite,
        )

    def _levels(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rms and the peak of each, heard a few at a time. Shape: [N, C, F, T] -> [N], [N]."""
        heard = pictures.split(AT_A_TIME) if self._sound is None else map(self._sound, pictures.split(AT_A_TIME))
        both = [(x.flatten(1).square().mean(1).sqrt(), x.flatten(1).abs().amax(1)) for x in heard]
        rms, peak = (torch.cat(parts) for parts in zip(*both, strict=True))
        return rms, peak


def pairwise_distance(pictures: Tensor) -> Tensor:
    """Return the mean Euclidean distance over all pairs, 0 without a pair. Shape: [N, C, F, T] -> []."""
    if len(pictures) < 2:
        return pictures.new_zeros(())
    return torch.pdist(pictures.flatten(1)).mean()
