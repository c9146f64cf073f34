# SPDX-License-Identifier: Apache-2.0
"""Segments and clips of recordings, drawn as rises and levels: no sound is needed to see how they are cut."""

from itertools import pairwise

import numpy as np
import pytest

from spect.beats.clips import Heard, Loss
from spect.beats.cut import clips_of
from spect.beats.novelty import RATE, STEP, Novelty
from spect.beats.options import Beats
from spect.beats.segments import Segment, segments
from tests.spect.beats.music import drifting, steady

CLIP = 12.0  # seconds at the wanted tempo
WANTED = Beats(130.0)


def recording(seconds: float, beats: np.ndarray, silence: tuple[float, float] = (0, 0)) -> Novelty:
    """Draw a click on each beat over a constant hum."""
    frames, steps = int(seconds / Novelty.frame_seconds), round(seconds * RATE / STEP)
    rises, levels = np.full((2, frames), 0.01, np.float32), np.full((2, steps), 1e-3, np.float32)
    begin, end = silence
    levels[:, int(begin * RATE / STEP) : int(end * RATE / STEP)] = 0
    for beat in beats[(beats < begin) | (beats >= end)]:
        at = round((beat - Novelty.first_seconds) / Novelty.frame_seconds)
        rises[:, max(0, at - 2) : at + 1] = 1
        levels[:, round(beat * RATE / STEP) : round((beat + 0.03) * RATE / STEP)] = 0.3
    return Novelty(rises, levels)


def cut(heard: Novelty, wanted: Beats = WANTED, clip: float = CLIP) -> tuple[list[Segment], Heard]:
    parts = list(segments(heard, wanted, clip))
    return parts, clips_of(parts, wanted, clip)


def off(heard: Heard, beats: np.ndarray) -> float:
    """Seconds from the worst clip's begin to the nearest beat."""
    return max(float(np.abs(beats - clip.time).min()) for clip in heard.clips)


def test_clips_begin_on_beats_eight_apart_through_all_segments() -> None:
    beats = steady(126, 0.4, 200)
    parts, heard = cut(recording(200, beats))
    assert len(parts) == 4  # of a minute, a clip's length shared with the next
    assert off(heard, beats) < 0.003
    gaps = np.diff([clip.time for clip in heard.clips]) * 126 / 60
    np.testing.assert_allclose(gaps, 8, atol=0.01)  # no clip is missing or doubled where segments meet
    assert heard.losses == ()
    last = heard.clips[-1]
    assert last.time + CLIP * last.ratio <= 200 < last.time + CLIP * last.ratio + 8.5 * 60 / 126
    for clip in heard.clips:
        assert clip.ratio == pytest.approx(130 / 126, rel=1e-4)
        assert clip.segment[0] <= clip.time
        assert clip.segment[1] - clip.segment[0] == pytest.approx(60)  # the last one's too
        assert clip.time + CLIP * clip.ratio <= clip.segment[1]


def test_the_segments_cover_a_recording_without_gap_or_overlap() -> None:
    heard = recording(200, steady(126, 0.4, 200), silence=(70, 90))
    parts, _ = cut(heard)
    assert parts[0].begin == 0
    assert parts[-1].until == pytest.approx(heard.seconds)
    for one, two in pairwise(parts):
        assert one.until == pytest.approx(two.begin)


@pytest.mark.parametrize("stride", [1, 3, 16])
def test_the_stride_is_as_asked_for(stride: int) -> None:
    _, heard = cut(recording(60, steady(140, 0.1, 60)), Beats(130, stride_beats=stride))
    gaps = np.diff([clip.time for clip in heard.clips]) * 140 / 60
    np.testing.assert_allclose(gaps, stride, atol=0.01)


def test_each_clip_has_its_own_tempo_where_the_music_drifts() -> None:
    beats = drifting(lambda time: 124 + time / 40, 0.2, 160)  # 124 to 128 BPM
    _, heard = cut(recording(160, beats))
    assert off(heard, beats) < 0.004
    for clip in heard.clips:
        assert clip.tempo == pytest.approx(124 + (clip.time + CLIP / 2) / 40, rel=5e-4)
    tempos = [clip.tempo for clip in heard.clips]
    assert tempos == sorted(tempos)


def test_no_clip_reaches_into_silence_and_the_silence_is_told() -> None:
    before, after = steady(128, 0.2, 70), steady(133, 90.2, 170)
    _, heard = cut(recording(170, np.concatenate([before, after]), silence=(70, 90)))
    assert off(heard, np.concatenate([before, after])) < 0.003
    assert all(clip.time + CLIP * clip.ratio <= 70.1 or clip.time >= 89.9 for clip in heard.clips)
    assert [round(clip.tempo) for clip in heard.clips] == sorted(round(clip.tempo) for clip in heard.clips)
    (loss,) = heard.losses
    assert (loss.kind, loss.told) == ("silent", "1:10 to 1:30: silent")
    assert heard.lost_seconds == pytest.approx(20, abs=0.1)


def test_what_is_shorter_than_a_clip_and_what_has_no_beat_are_told() -> None:
    _, short = cut(recording(8, steady(130, 0.1, 8)))
    assert [loss.reason for loss in short.losses] == ["shorter than a clip (8.0 of 12.0 s)"]
    _, scrap = cut(recording(3, steady(130, 0.1, 3)), clip=1.0)
    assert [loss.kind for loss in scrap.losses] == ["too short for a beat to be told"]
    assert cut(Novelty(np.zeros((2, 4), np.float32), np.zeros((2, 0), np.float32)))[1] == Heard((), (), ())
    rng = np.random.default_rng(0)
    noise = Novelty(rng.random((2, 6000)).astype(np.float32), np.full((2, 17000), 0.1, np.float32))
    _, none = cut(noise)
    assert none.clips == ()
    assert {loss.kind for loss in none.losses} == {"no clear beat"}


def test_a_leap_costs_the_clips_over_it_only() -> None:
    beats = steady(128, 0.2, 60)
    leap = np.concatenate([beats[beats < 36], beats[beats >= 36] + 0.17])
    _, heard = cut(recording(60, leap), clip=4.0)
    assert off(heard, leap[leap < 36]) < 0.005
    assert all(clip.time + 4.2 < 38 for clip in heard.clips)
    assert len(heard.clips) >= 7
    assert {loss.kind for loss in heard.losses} == {"the beat leaps or is lost"}
    assert [loss.begin for loss in heard.losses] == sorted(loss.begin for loss in heard.losses)


def test_a_tempo_that_drifts_out_of_the_range_is_left_there() -> None:
    beats = drifting(lambda time: 118 + time / 15, 0.2, 60)  # 118 to 122
    _, heard = cut(recording(60, beats), clip=4.0)
    assert heard.clips
    assert min(clip.tempo for clip in heard.clips) >= 120
    assert all(loss.kind == "outside 120 to 145 BPM" for loss in heard.losses)


def test_losses_of_one_reason_that_touch_are_one() -> None:
    parts = [
        Segment(0, 60, 50, reason="silent"),
        Segment(50, 110, 100, reason="silent"),
        Segment(200, 210, 210, reason="x"),
    ]
    assert clips_of(parts, WANTED, CLIP).losses == (Loss(0, 100, "silent"), Loss(200, 210, "x"))
