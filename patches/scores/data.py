# SPDX-License-Identifier: Apache-2.0
"""What generated sounds are compared with: an archive's held-out sounds, and those that were trained on.

Held-out sounds are the reference of every distance; the train split is what outputs may have been copied from, and what
anchors are made of. Where nothing is held out, half of the train split is the reference and anchors are made of the
other half: no set is scored against itself. Of large sets a part is drawn with a fixed seed, so that memory doesn't
grow with the archive; rows tell how many.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from patches.console import progress
from patches.errors import UserError
from patches.scores.cache import Cache
from patches.scores.probes import Measured, Probe, measure
from patches.scores.sounds import Real, Subject
from patches.views import View
from spect.archives.opening import AnyArchive

MOST_REFERENCE = 2048
MOST_TRAIN = 16384
LEAST_REFERENCE = 4  # two halves of a pair each
HELD_OUT, TRAIN = "held-out", "train"


@dataclass(frozen=True)
class Data:
    """An archive for scores.

    Args:
        reference: items that distances are measured to; train: items that may have been copied; others: train items
            that aren't in the reference. Shape: int64 [n].
        held_out: whether the reference was held out of training.
    """

    real: Real
    reference: np.ndarray
    train: np.ndarray
    others: np.ndarray
    held_out: bool

    @classmethod
    def of(cls, archive: AnyArchive, view: View, device: torch.device) -> "Data":
        """Choose what an archive's sounds are for.

        Raises:
            UserError: too few sounds, or those of another rate.
        """
        held_out, train = len(archive.holdout) >= LEAST_REFERENCE, drawn(archive.train, MOST_TRAIN)
        first, second = halves(len(train))
        reference, others = (archive.holdout, train) if held_out else (train[second], train[first])
        if len(reference) < LEAST_REFERENCE or len(others) < LEAST_REFERENCE:
            raise UserError(
                f"--data: {archive.path} has {len(archive)} sounds, {len(archive.holdout)} of them held out; "
                f"scores need {LEAST_REFERENCE} to learn from and {LEAST_REFERENCE} others"
            )
        return cls(Real(archive, view, device), drawn(reference, MOST_REFERENCE), train, others, held_out)

    @property
    def archive(self) -> AnyArchive:
        """The archive."""
        return self.real.archive

    @property
    def view(self) -> View:
        """What hears it."""
        return self.real.view

    @property
    def reference_name(self) -> str:
        """What the reference is."""
        return HELD_OUT if self.held_out else TRAIN

    def notes(self) -> tuple[str, ...]:
        """Say what a reader of the scores must know."""
        if self.held_out:
            return ()
        return (
            f"{self.archive.path.name} holds out {len(self.archive.holdout)} sounds: scores are against half of "
            "the sounds that were trained on, and flatter; build the archive with --holdout=0.1 and more files",
        )

    def measured(self, name: str, items: np.ndarray, probes: Sequence[Probe]) -> Measured:
        """Measure items with every probe, or read what was measured before.

        Args:
            name: of the set, for the bar.
        """
        cache, subject = Cache(self.archive, self.view), self.real.subject(name, items)
        kept = {probe: cache.read(self._key(items, probe)) for probe in probes}
        missing = [probe for probe, one in kept.items() if one is None]
        if missing:
            with progress(f"measuring {name}", len(items), "sounds") as advance:
                fresh = measure(subject, missing, advance=advance)
            for probe in missing:
                own = {"items": torch.from_numpy(fresh.items), "places": torch.from_numpy(fresh.places)}
                tensors = {**fresh.of(probe.name), **own}
                header = {"broken": fresh.broken}
                cache.write(self._key(items, probe), tensors, header)
                kept[probe] = (tensors, header)
        return _joined(subject, {probe: one for probe, one in kept.items() if one is not None})

    def _key(self, items: np.ndarray, probe: Probe) -> dict[str, Any]:
        digest = hashlib.sha256(np.ascontiguousarray(items, np.int64).tobytes()).hexdigest()
        return {"items": digest, "probe": [probe.name, probe.version]}


def drawn(items: np.ndarray, most: int) -> np.ndarray:
    """Draw at most so many items, always the same, sorted. Shape: int64 [n] -> [<= most]."""
    if len(items) <= most:
        return np.asarray(items, np.int64)
    return np.sort(np.random.default_rng(0).choice(items, most, replace=False))


def _joined(subject: Subject, kept: Mapping[Probe, tuple[Mapping[str, Tensor], Mapping[str, Any]]]) -> Measured:
    found = {f"{probe.name}/{key}": value for probe, (tensors, _) in kept.items() for key, value in tensors.items()}
    items, places = (
        [found.pop(f"{probe.name}/{key}").numpy() for probe in kept] or [np.empty(0, np.int64)]
        for key in ("items", "places")
    )
    broken = int(next(iter(kept.values()))[1]["broken"]) if kept else 0
    return Measured(replace(subject, count=len(items[0])), found, items[0], places[0], broken, 0.0)


def halves(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Deal a set in two, by a fixed draw. Shape: -> int64 [count // 2], [the rest]."""
    order = np.random.default_rng(1).permutation(count)
    return np.sort(order[: count // 2]), np.sort(order[count // 2 :])
