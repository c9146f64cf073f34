# SPDX-License-Identifier: Apache-2.0
"""What became of a recording: clips that begin on a beat, and what was dropped."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Clip:
    """A part of a recording that begins on a beat, to be stretched by `ratio`. Times in seconds of the recording.

    Args:
        time: of its first beat.
        tempo: its own, the mean from its begin to its end.
        ratio: source length over clip length: the wanted tempo over its own.
        segment: the span on which its beats were measured.
    """

    time: float
    tempo: float
    ratio: float
    segment: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Give what items.jsonl records of it."""
        return {
            "beat_seconds": round(self.time, 5),
            "bpm": round(self.tempo, 4),
            "segment_seconds": [round(time, 3) for time in self.segment],
            "stretch": round(self.ratio, 7),
        }


@dataclass(frozen=True)
class Loss:
    """Seconds of a recording that clips don't begin in, and why: a kind, and its figures in brackets."""

    begin: float
    end: float
    reason: str

    @property
    def kind(self) -> str:
        """The reason without its figures."""
        return self.reason.split(" (")[0]

    @property
    def told(self) -> str:
        """Where and why, in words."""
        return f"{_clock(self.begin)} to {_clock(self.end)}: {self.reason}"


@dataclass(frozen=True)
class Heard:
    """What became of a recording: its clips, its segments' tempos, and what was dropped."""

    clips: tuple[Clip, ...]
    tempos: tuple[float, ...]
    losses: tuple[Loss, ...]

    @property
    def lost_seconds(self) -> float:
        """How much was dropped."""
        return sum(loss.end - loss.begin for loss in self.losses)


def _clock(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02d}"
