# SPDX-License-Identifier: Apache-2.0
"""Going once through a set of sounds and keeping only what its scores need: features, measures, probabilities.

A probe looks at a batch and gives a few numbers a sound. Sounds that hold NaN or Inf are shown to no probe; they are
counted, and each score says so.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError
from patches.scores.sounds import Heard, Subject

LEAST = 32
"""Sounds that a score of a training's snapshot says something of."""
FEWEST = 2
"""Sounds that can be scored at all."""
_NONE = np.empty(0, np.int64)

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Probe:
    """What is asked of each sound.

    Args:
        name: unique in an evaluation; version: told in rows, and other where its numbers are.
        look: a batch of finite sounds -> numbers by name, [n] or [n, d].
    """

    name: str
    version: str
    look: Callable[[Heard], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Measured:
    """What probes found in a set.

    Args:
        found: by probe's name and number's name, "log-mel/features". Shape: [n] or [n, d], on the CPU.
        items: the archive's items whose labels the sounds should have. Shape: int64 [n].
        places: of the sounds in the set. Shape: int64 [n].
        broken: sounds left out since they weren't finite.
    """

    subject: Subject
    found: Mapping[str, Tensor]
    items: np.ndarray
    places: np.ndarray
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
        found = {key: value[index] for key, value in self.found.items()}
        return replace(self, found=found, items=self.items[chosen], places=self.places[chosen])


def measure(
    subject: Subject, probes: Sequence[Probe], *, until: float | None = None, advance: Advance = lambda count: None
) -> Measured:
    """Go through a set.

    Args:
        until: a time.monotonic() after which no further batch is begun.
        advance: told how many sounds were looked at.
    """
    began = time.monotonic()
    parts: list[dict[str, Tensor]] = []
    items, places = [_NONE], [_NONE]
    broken = 0
    for heard in _in_time(subject, until):
        advance(len(heard.items))
        good = np.flatnonzero(finite(heard))
        broken += len(heard.items) - len(good)
        if len(good):
            items.append(heard.items[good])
            places.append(good + heard.first)
            parts.append(_looked_at(_some(heard, good), probes))
    names = parts[0].keys() if parts else ()
    found = {name: torch.cat([part[name] for part in parts]) for name in names}
    seconds = time.monotonic() - began
    return Measured(subject, found, np.concatenate(items), np.concatenate(places), broken, seconds)


def check_finite(path: Path, measured: Measured) -> None:
    """See that there is something to score. Raises: UserError where a network makes no two finite sounds."""
    if measured.count < FEWEST:
        told = f"{measured.count} of {measured.count + measured.broken} sounds are finite"
        raise UserError(f"{path}: {told}; scores need {FEWEST} or more")


def finite(heard: Heard) -> np.ndarray:
    """Say which sounds hold no NaN or Inf. Shape: bool [n]."""
    return torch.isfinite(heard.sounds).flatten(1).all(1).cpu().numpy()


def _some(heard: Heard, chosen: np.ndarray) -> Heard:
    if len(chosen) == len(heard.items):
        return heard
    index = torch.from_numpy(chosen).to(heard.sounds.device)
    return replace(
        heard, sounds=heard.sounds[index], pictures=lambda: heard.pictures()[index], items=heard.items[chosen]
    )


def _in_time(subject: Subject, until: float | None) -> Iterator[Heard]:
    with torch.inference_mode():
        for heard in subject.batches():
            yield heard
            if until is not None and time.monotonic() >= until:
                return


def _looked_at(heard: Heard, probes: Sequence[Probe]) -> dict[str, Tensor]:
    return {
        f"{probe.name}/{name}": values.detach().cpu() for probe in probes for name, values in probe.look(heard).items()
    }
