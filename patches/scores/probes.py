# SPDX-License-Identifier: Apache-2.0
"""Going once through a set of sounds and keeping only what its scores need: features, measures, probabilities.

A probe looks at a batch and gives a few numbers a sound. Sounds that hold NaN or Inf are shown to no probe; they are
counted, and each score says so.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from patches.scores.sounds import Heard, Subject

LEAST = 32
"""Sounds that are measured even where there is no time for them."""

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Probe:
    """What is asked of each sound.

    Args:
        name: unique in an evaluation; version: changes where its numbers do.
        look: a batch of finite sounds -> numbers by name, [n] or [n, d].
    """

    name: str
    version: str
    look: Callable[[Heard], Mapping[str, Tensor]]

    @property
    def label(self) -> str:
        """Name and version, as rows have it."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Measured:
    """What probes found in a set.

    Args:
        found: by probe's name and number's name, "log-mel/features". Shape: [n] or [n, d], on the CPU.
        items: the archive's items whose labels the sounds should have. Shape: int64 [n].
        broken: sounds left out since they weren't finite.
    """

    subject: Subject
    found: Mapping[str, Tensor]
    items: np.ndarray
    broken: int
    seconds: float

    @property
    def count(self) -> int:
        """Sounds that were measured, without those left out."""
        return len(self.items)

    def of(self, probe: str) -> dict[str, Tensor]:
        """Give one probe's numbers."""
        return {key.partition("/")[2]: value for key, value in self.found.items() if key.partition("/")[0] == probe}

    def named(self, subject: Subject) -> "Measured":
        """Give the same numbers as those of another set."""
        return replace(self, subject=subject)

    def part(self, chosen: np.ndarray) -> "Measured":
        """Give some of its sounds. Shape: int64 [m]."""
        index = torch.from_numpy(chosen)
        return replace(self, found={key: value[index] for key, value in self.found.items()}, items=self.items[chosen])


def measure(
    subject: Subject, probes: Sequence[Probe], *, until: float | None = None, advance: Advance = lambda count: None
) -> Measured:
    """Go through a set.

    Args:
        until: a time.monotonic() after which no further batch is begun, once there are `LEAST` sounds.
        advance: told how many sounds were looked at.
    """
    began = time.monotonic()
    parts: list[dict[str, Tensor]] = []
    items: list[np.ndarray] = []
    broken = 0
    for heard in _in_time(subject, until):
        advance(len(heard.items))
        good = finite(heard)
        broken += len(heard.items) - len(good.items)
        if len(good.items):
            items.append(good.items)
            parts.append(_looked_at(good, probes))
    names = parts[0].keys() if parts else ()
    found = {name: torch.cat([part[name] for part in parts]) for name in names}
    joined = np.concatenate(items) if items else np.empty(0, np.int64)
    return Measured(subject, found, joined, broken, time.monotonic() - began)


def finite(heard: Heard) -> Heard:
    """Leave out what holds NaN or Inf."""
    good = torch.isfinite(heard.sounds).flatten(1).all(1)
    if bool(good.all()):
        return heard
    left = good.cpu().numpy()
    return replace(heard, sounds=heard.sounds[good], pictures=heard.pictures[good], items=heard.items[left])


def _in_time(subject: Subject, until: float | None) -> Iterator[Heard]:
    seen = 0
    with torch.inference_mode():
        for heard in subject.batches():
            yield heard
            seen += len(heard.items)
            if until is not None and seen >= LEAST and time.monotonic() >= until:
                return


def _looked_at(heard: Heard, probes: Sequence[Probe]) -> dict[str, Tensor]:
    return {
        f"{probe.name}/{name}": values.detach().cpu() for probe in probes for name, values in probe.look(heard).items()
    }
