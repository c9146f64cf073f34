# SPDX-License-Identifier: Apache-2.0
"""What a user may ask of --beats, validated, with messages in the options' names."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spect.errors import SoundError

BEATS_A_BAR = 4
SLOWEST, FASTEST = 30.0, 300.0  # BPM


@dataclass(frozen=True)
class Beats:
    """How long recordings become clips of one tempo. The defaults are ElectroGAN's (section 5).

    Args:
        bpm: the tempo that all music is stretched to, in beats a minute.
        lowest, highest: music of other tempos is left out; doubled or halved tempos count.
        stride_beats: from the start of one clip to the next.
        bars: clips are loops of this many bars of four beats; None: as long as the canvas.
    """

    bpm: float = 130.0
    lowest: float = 120.0
    highest: float = 145.0
    stride_beats: int = 8
    bars: int | None = None

    def __post_init__(self) -> None:
        for option, value in (("--bpm", self.bpm), ("--bpm-min", self.lowest), ("--bpm-max", self.highest)):
            if not SLOWEST <= value <= FASTEST:
                raise SoundError(f"{option}: got {value:g}; allowed are {SLOWEST:g} to {FASTEST:g} beats a minute")
        if self.lowest >= self.highest:
            raise SoundError(f"--bpm-min={self.lowest:g}: must be below --bpm-max={self.highest:g}")
        if self.highest > 2 * self.bpm or self.lowest < self.bpm / 2:
            raise SoundError(
                f"--bpm={self.bpm:g}: music from {self.lowest:g} to {self.highest:g} BPM would be stretched by more "
                "than 2; choose --bpm-min and --bpm-max nearer to --bpm"
            )
        if self.stride_beats < 1:
            raise SoundError(f"--stride-beats: got {self.stride_beats}; allowed is any whole number from 1 up")
        if self.bars is not None and self.bars < 1:
            raise SoundError(f"--bars: got {self.bars}; allowed is any whole number from 1 up")

    @property
    def loop_beats(self) -> int | None:
        """Beats of a loop; None where clips aren't loops."""
        return None if self.bars is None else BEATS_A_BAR * self.bars

    def clip_samples(self, canvas: int, rate: int) -> int:
        """Tell the length of a clip in a canvas of `canvas` samples at `rate` Hz.

        Raises:
            SoundError: that many bars don't fit.
        """
        if self.bars is None:
            return canvas
        samples = loop_samples(BEATS_A_BAR * self.bars, self.bpm, rate)
        if samples > canvas:
            most = int(canvas * self.bpm / (60 * BEATS_A_BAR * rate))
            bars = f"--bars={most}" if most else "a higher --bpm"
            raise SoundError(
                f"--bars={self.bars}: {samples / rate:.2f} s at {self.bpm:g} BPM don't fit the canvas's "
                f"{canvas / rate:.2f} s; take {bars} or a larger --resolution"
            )
        return samples

    def to_dict(self) -> dict[str, Any]:
        """Give what dataset.json records of it."""
        return {**asdict(self), "beats": self.loop_beats}


def loop_samples(beats: float, bpm: float, rate: int) -> int:
    """Tell how many samples at `rate` Hz so many beats last."""
    return round(beats * 60 * rate / bpm)


def tempo_of(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give bpm and beats (of a loop, or None) of the sounds of an archive by its dataset.json; None without a tempo."""
    beats = (summary.get("preparation") or {}).get("beats")
    return None if beats is None else {"bpm": float(beats["bpm"]), "beats": beats["beats"]}
