# SPDX-License-Identifier: Apache-2.0
"""What a report shows: sounds, rows of scores and distances, handed over by whoever computed them.

Sounds are float32 [C, L] with 1 or 2 channels, full scale 1; pictures are uint8 [H, W, 3], low
frequencies at the bottom.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from patches.errors import UserError
from patches.scores.rows import Score


@dataclass(frozen=True, eq=False)
class Clip:
    """A sound to play.

    Args:
        title: one line, as in "seed 3".
        rate: in Hz.
        caption: what else there is to say of it.
        picture: its spectrogram; None: the report draws one.
        seed: of a network's sound.
        loop: whether it goes round and round (while the page's loop switch is on).
    """

    title: str
    sound: np.ndarray
    rate: int
    caption: str = ""
    picture: np.ndarray | None = None
    seed: int | None = None
    loop: bool = True

    def __post_init__(self) -> None:
        sound, picture = self.sound, self.picture
        if sound.ndim != 2 or sound.shape[0] not in (1, 2) or sound.shape[1] == 0:
            raise UserError(f"report: {self.title}: a sound is [1 or 2, L], got {list(sound.shape)}")
        if self.rate < 1:
            raise UserError(f"report: {self.title}: a sample rate is above 0 Hz, got {self.rate}")
        if picture is not None and (picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3):
            raise UserError(
                f"report: {self.title}: a picture is uint8 [H, W, 3], got {picture.dtype} {list(picture.shape)}"
            )

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.sound.shape[1] / self.rate


@dataclass(frozen=True, eq=False)
class Pair:
    """An output beside the training sound that is nearest to it (None: not looked for), with what was measured."""

    output: Clip
    nearest: Clip | None = None
    figures: Mapping[str, str] = field(default_factory=dict)


Row = tuple[str, tuple[Clip, ...]]
"""A snapshot's label and its sounds, one for each seed."""


@dataclass(frozen=True, eq=False)
class Report:
    """All that the page shows; what is empty is left out.

    Args:
        intro: facts by name: network, data, view.
        scores: rows of one snapshot and their anchors.
        history: rows of the snapshots of a training; `Score.kimg` is their place. Anchors are those of `scores`, and
            any that stand among these.
        grid: snapshots down, the same seeds across.
        best, worst, copied: of the outputs, most striking first; `copied`: nearest to a training sound.
        zoom: the sound whose waveform is drawn at three zooms.
        distances: to the nearest training sound, by whose they are ("outputs", "held-out real").
        notes: said at the end.
    """

    title: str
    intro: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()
    history: tuple[Score, ...] = ()
    grid: tuple[Row, ...] = ()
    best: tuple[Pair, ...] = ()
    worst: tuple[Pair, ...] = ()
    copied: tuple[Pair, ...] = ()
    zoom: Clip | None = None
    distances: Mapping[str, Sequence[float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = {tuple(clip.seed for clip in clips) for _, clips in self.grid}
        if len(columns) > 1:
            raise UserError(
                "report: every snapshot of the table has the same seeds in the same order, got "
                + " and ".join(sorted(", ".join(map(str, seeds)) for seeds in columns)[:2])
            )
