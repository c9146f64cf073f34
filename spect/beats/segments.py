# SPDX-License-Identifier: Apache-2.0
"""A recording into segments of about a minute, each with its own tempo and beats, or a reason why it has none.

Silences part it first, so that no segment reaches over one. Segments overlap by the longest clip: every clip lies
whole in the segment by whose beats it is cut, and clips begin everywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spect.beats.novelty import Novelty
from spect.beats.options import Beats
from spect.beats.tempo import Dropped, Pulse, measure

SEGMENT_SECONDS = 60.0
LEAST_SECONDS = 4.0
QUIET = 1e-6  # mean square below the file's peak, -60 dB
SILENCE_SECONDS = 1.5


@dataclass(frozen=True)
class Segment:
    """A part of a recording. Times in seconds.

    Args:
        begin, until: where its clips begin.
        end: where they end at the latest.
        since: its beats were measured from there to its end.
        pulse: its beats, or None.
        reason: why it has none.
    """

    begin: float
    end: float
    until: float
    since: float = 0.0
    pulse: Pulse | None = None
    reason: str = ""


def segments(heard: Novelty, wanted: Beats, clip_seconds: float) -> Iterator[Segment]:
    """Find the beats of a recording, segment after segment; they cover it without gap or overlap (begin to until).

    Args:
        clip_seconds: length of a clip at the tempo that is wanted.
    """
    longest = clip_seconds * wanted.bpm / wanted.lowest
    length = max(SEGMENT_SECONDS, 2 * longest)
    for begin, end, sounding in _regions(heard):
        if not sounding:
            yield Segment(begin, end, end, reason="silent")
        elif end - begin < LEAST_SECONDS:
            yield Segment(begin, end, end, reason=f"too short for a beat to be told ({end - begin:.1f} s)")
        elif end - begin < clip_seconds * wanted.bpm / wanted.highest:
            yield Segment(begin, end, end, reason=f"shorter than a clip ({end - begin:.1f} of {clip_seconds:.1f} s)")
        else:
            yield from _of_region(heard, wanted, begin, end, length, length - longest)


def _of_region(
    heard: Novelty, wanted: Beats, begin: float, end: float, length: float, stride: float
) -> Iterator[Segment]:
    first = begin
    while True:
        last = end - begin <= length
        stop = end if last else begin + length
        until = end if last else begin + stride
        since = max(first, stop - length)  # so that the last one has its minute too
        try:
            yield Segment(begin, stop, until, since, measure(heard, since, stop, wanted))
        except Dropped as why:
            yield Segment(begin, stop, until, since, reason=str(why))
        if last:
            return
        begin = until


def _regions(heard: Novelty) -> Iterator[tuple[float, float, bool]]:
    """Part a recording into sounding and silent spans: begin, end, whether it sounds."""
    step = heard.step_seconds
    loud = np.flatnonzero(heard.levels[0] > QUIET)
    begin = 0.0
    if len(loud):
        gaps = np.flatnonzero(np.diff(loud) * step > SILENCE_SECONDS)
        starts, stops = loud[np.append(0, gaps + 1)] * step, (loud[np.append(gaps, len(loud) - 1)] + 1) * step
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            if start - begin > SILENCE_SECONDS or begin > 0:
                yield begin, start, False
                begin = start
            yield begin, stop, True
            begin = stop
    if heard.seconds - begin > 0:
        yield begin, heard.seconds, False
