# SPDX-License-Identifier: Apache-2.0
"""The seeds' own measures of pictures, for their tables: root mean square difference, and FID where Inception is given.

RMSE (seed 004): the root mean square difference of pictures, as a network makes them, and real ones that are drawn for
them. Real pictures against others of them aren't at 0: the anchors say what is. FID (seeds 001, 002, 004): Fréchet
distance of an image network's features of the previews; there is none here, --inception names a local file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from patches.scores.metrics.distance import frechet_values
from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.probes import Measured, Probe
from patches.scores.sounds import Heard, Real
from stylegan3.metrics import bootstrap_mean, moments
from stylegan3.metrics.estimate import Estimate


def picture_probe(real: Real, items: np.ndarray) -> Probe:
    """Make the probe that compares pictures with real ones of these items, drawn by place in the set, never its own."""
    return Probe("pictures", "2", partial(_look, real, items))


def _look(real: Real, items: np.ndarray, heard: Heard) -> Mapping[str, Tensor]:
    places = np.random.default_rng(heard.first).integers(len(items), size=len(heard.items))
    places = np.where(items[places] == heard.items, (places + 1) % len(items), places)
    drawn = items[places]
    return {"square": (heard.pictures() - real.heard(drawn).pictures()).square().flatten(1).mean(1)}


def inception_probe(encode: Callable[[Tensor], Tensor], preview: Callable[[Tensor], Tensor], version: str) -> Probe:
    """Make the probe that shows previews to an image network.

    Args:
        encode: uint8 [n, 3, H, W] -> [n, d]; preview: model space -> uint8 [n, H, W, 3].
    """

    def look(heard: Heard) -> Mapping[str, Tensor]:
        return {"features": encode(preview(heard.pictures()).permute(0, 3, 1, 2))}

    return Probe("inception", version, look)


@dataclass(frozen=True)
class Pictures:
    """RMSE, and FID where there is an image network."""

    difference: Probe
    inception: Probe | None = None
    name: str = "pictures"

    @property
    def probes(self) -> tuple[Probe, ...]:
        """One or two."""
        return (self.difference,) if self.inception is None else (self.difference, self.inception)

    def judge(self, against: Against) -> Judge:
        """Compare with the real pictures that the probe drew."""

        def judge(measured: Measured) -> list[Part]:
            power = bootstrap_mean(measured.found["pictures/square"], torch.Generator().manual_seed(0))
            rmse = Estimate(*(max(0.0, one) ** 0.5 for one in (power.value, power.low, power.high)))
            return [Part("", {"rmse": rmse}, against.reference.count), *self._fid(measured, against)]

        return judge

    def _fid(self, measured: Measured, against: Against) -> list[Part]:
        if self.inception is None:
            return []
        real, made = (one.found["inception/features"] for one in (against.reference, measured))
        values, notes = frechet_values(moments(real), made, "fid")
        return [Part(self.inception.version, values, against.reference.count, notes)]
