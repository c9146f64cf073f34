# SPDX-License-Identifier: Apache-2.0
"""Clips of a recording: where each begins and how it is stretched. Everything is known before a sound is cut."""

from collections.abc import Iterator, Sequence
from math import ceil

from spect.beats.clips import Clip, Heard, Loss
from spect.beats.options import Beats
from spect.beats.segments import Segment
from spect.beats.tempo import outside


def clips_of(parts: Sequence[Segment], wanted: Beats, clip_seconds: float) -> Heard:
    """Cut segments into clips, one every `stride_beats` beats, each on a beat."""
    clips: list[Clip] = []
    losses = [Loss(part.begin, part.until, part.reason) for part in parts if part.pulse is None]
    tempos = []
    for part in parts:
        if part.pulse is None:
            continue
        tempos.append(part.pulse.grid.tempo(part.since, part.end))
        for clip, reason in _of_segment(part, wanted, clip_seconds, _earliest(clips, part, wanted)):
            if reason:
                losses.append(Loss(clip.time, clip.time + 60 * wanted.stride_beats / clip.tempo, reason))
            else:
                clips.append(clip)
    return Heard(tuple(clips), tuple(tempos), tuple(_joined(losses)))


def _earliest(clips: Sequence[Clip], part: Segment, wanted: Beats) -> float:
    """Tell from when on a segment's clips may begin: a stride after the last, within half a beat."""
    if not clips:
        return part.begin
    return max(part.begin, clips[-1].time + (wanted.stride_beats - 0.5) * 60 / clips[-1].tempo)


def _of_segment(part: Segment, wanted: Beats, clip_seconds: float, earliest: float) -> Iterator[tuple[Clip, str]]:
    """Give clips with a reason against each, empty where there is none."""
    assert part.pulse is not None
    grid, span = part.pulse.grid, (part.since, part.end)
    number = ceil(float(grid.number(earliest)))
    while (begin := grid.time(number)) < part.until:
        end = grid.time(number + clip_seconds * wanted.bpm / 60)
        if end > part.end:
            return
        tempo = grid.tempo(begin, end)
        over = any(begin < stop and start < end for start, stop in part.pulse.astray)
        if over:
            reason = "the beat leaps or is lost"
        elif not wanted.lowest <= tempo <= wanted.highest:
            reason = outside(tempo, wanted)
        else:
            reason = ""
        yield Clip(begin, tempo, wanted.bpm / tempo, span), reason
        number += wanted.stride_beats


def _joined(losses: list[Loss]) -> Iterator[Loss]:
    """Join losses of one reason that touch."""
    held: Loss | None = None
    for loss in sorted(losses, key=lambda one: (one.begin, one.end)):
        if held is not None and held.reason == loss.reason and loss.begin <= held.end + 0.1:
            held = Loss(held.begin, max(held.end, loss.end), held.reason)
            continue
        if held is not None:
            yield held
        held = loss
    if held is not None:
        yield held
