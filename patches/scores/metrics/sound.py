# SPDX-License-Identifier: Apache-2.0
"""What single sounds suffer from, and what they are like on the whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from patches.scores.metrics.metric import Against, Judge, Part
from patches.scores.probes import Measured, Probe
from patches.scores.sounds import Heard
from spect.measures import judge, measure
from stylegan3.metrics import bootstrap_mean, wilson
from stylegan3.metrics.estimate import Estimate

VERSION = 1  # of what is measured
TOLD = ("rms_db", "peak_db", "onset_ms", "decay_ms", "centroid_hz", "flatness", "mono_compat_db")
"""Means that a row tells beside the shares of defective sounds."""


def defects_probe(sample_rate: int, period: int) -> Probe:
    """Make the probe that measures defects.

    Args:
        period: samples from one frame of the view to the next, where clicks are looked for.
    """
    return Probe("defects", f"defects {VERSION} at {period}", partial(_look, sample_rate, period))


def _look(sample_rate: int, period: int, heard: Heard) -> Mapping[str, Tensor]:
    return measure(heard.sounds, sample_rate, hop=period)


@dataclass(frozen=True)
class Defects:
    """Shares of sounds that are broken, by what is wrong, and means of what they are like."""

    probe: Probe
    name: str = "defects"

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The one."""
        return (self.probe,)

    def judge(self, against: Against) -> Judge:
        """Compare with nothing: a defect is one whatever the data."""

        def score(measured: Measured) -> list[Part]:
            found, all_of_them = measured.of(self.probe.name), measured.count + measured.broken
            wrong = judge(found)
            values = {"defective": wilson(int(wrong["defective"].sum()) + measured.broken, all_of_them)}
            values["not_finite"] = wilson(measured.broken, all_of_them)
            values |= {name: wilson(int(bad.sum()), len(bad)) for name, bad in wrong.items() if name not in values}
            values |= {name: mean(found[name]) for name in TOLD}
            values["frame_click_ratio"] = mean(found["frame_clicks"])
            return [Part("", values)]

        return score


def mean(values: Tensor) -> Estimate:
    """Give the mean of what is finite, with its interval."""
    good = values[torch.isfinite(values)].double()
    return bootstrap_mean(good, torch.Generator().manual_seed(0)) if len(good) else Estimate(float("nan"))
