# SPDX-License-Identifier: Apache-2.0
"""What a user may ask of a dataset: the resolved options, validated, with messages in the option's name."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from spect.beats.options import Beats
from spect.cmyk import Cmyk
from spect.errors import SoundError

TRIM_DB = -60.0  # below a file's own peak: what --trim-start takes for silence


@dataclass(frozen=True)
class Preparation:
    """How a sound becomes the sound of a canvas. Everything but the rate and the cut is off by default.

    Args:
        representation: cmyk of the archive.
        resampler: soxr (its best quality) or linear (the paper's).
        slice: cut long files into canvases; otherwise each file is padded or truncated to one.
        stride: samples from one slice to the next.
        trim_start: leave out what lies TRIM_DB below a file's peak at its start.
        peak_db: bring each file's peak to this level.
        fade_out_ms: fade out the end of each canvas's sound.
        downmix: mix more than two channels down instead of refusing them.
        beats: cut long recordings into clips that begin on a beat, at one tempo.
    """

    representation: Cmyk
    resampler: Literal["soxr", "linear"] = "soxr"
    slice: bool = False
    stride: int = 0
    trim_start: bool = False
    peak_db: float | None = None
    fade_out_ms: float = 0.0
    downmix: bool = False
    beats: Beats | None = None

    def __post_init__(self) -> None:
        if self.beats is not None:
            self.beats.clip_samples(self.representation.samples, self.representation.sample_rate)
            for option, given in (("--slice", self.slice), ("--trim-start", self.trim_start)):
                if given:
                    raise SoundError(f"{option}: --beats cuts on beats already; leave {option} out")
        if self.slice and self.stride < 1:
            raise SoundError("--stride: got 0 seconds; allowed is any positive length")
        if self.peak_db is not None and not -100 <= self.peak_db <= 0:
            raise SoundError(f"--peak: got {self.peak_db:g} dB; allowed are -100 to 0 (full scale)")
        if not 0 <= self.fade_out_ms <= 1000 * self.seconds:
            raise SoundError(
                f"--fade-out: got {self.fade_out_ms:g} ms; allowed are 0 to the canvas's {1000 * self.seconds:.0f} ms"
            )

    @property
    def seconds(self) -> float:
        """Length of a canvas."""
        return self.representation.samples / self.representation.sample_rate

    @property
    def clip_samples(self) -> int:
        """Length of what --beats cuts out."""
        samples = self.representation.samples
        return samples if self.beats is None else self.beats.clip_samples(samples, self.representation.sample_rate)

    def to_dict(self) -> dict[str, Any]:
        """Give what dataset.json records of it."""
        return {
            "downmix": self.downmix,
            "fade_out_ms": self.fade_out_ms,
            "peak_db": self.peak_db,
            "resampler": self.resampler,
            "slice": self.slice,
            "stride_samples": self.stride if self.slice else None,
            "trim_start_db": TRIM_DB if self.trim_start else None,
            **({"beats": self.beats.to_dict()} if self.beats is not None else {}),
        }


def parse_resolution(text: str) -> tuple[int, int]:
    """Read FxT, or one number for both: rows (frequencies) and columns (frames).

    Raises:
        SoundError: anything else.
    """
    match = re.fullmatch(r"\s*(\d{1,6})\s*(?:[x×X*,]\s*(\d{1,6}))?\s*", text)
    rows, frames = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not (2 <= rows <= 65536 and 1 <= frames <= 65536):
        raise SoundError(f"--resolution: got {text!r}; allowed is FxT, rows by columns, such as 512x512 or 64x128")
    return rows, frames
