# SPDX-License-Identifier: Apache-2.0
"""Tempo and beats of music whose every beat is known, and of what has none."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from spect.beats.novelty import Novelty, hear
from spect.beats.options import Beats
from spect.beats.tempo import Dropped, Pulse, measure
from tests.spect.beats.music import RATE, drifting, play, steady

LOOPS = Path(__file__).resolve().parents[4] / "shared" / "audio" / "loops"
REAL = {"amen": 136.88, "amen_full": 140.0, "breakbeat": 126.0, "mika": 120.0, "compus": 148.0, "safari": 119.92}
WANTED = Beats()
TEMPO_ERROR = 5e-5  # a hundredth of the half percent that is asked for
BEAT_ERROR = 3e-3  # seconds


def heard(sound: np.ndarray, rate: int = RATE) -> Novelty:
    file = io.BytesIO()
    soundfile.write(file, sound.T, rate, format="WAV", subtype="FLOAT")
    return hear(file, rate, sound.shape[1], float(np.abs(sound).max()))


def pulse(sound: np.ndarray, wanted: Beats = WANTED) -> Pulse:
    return measure(heard(sound), 0.0, sound.shape[1] / RATE, wanted)


def offsets(found: Pulse, beats: np.ndarray) -> np.ndarray:
    """Seconds from each true beat to the nearest of the grid."""
    number = found.grid.number(beats)
    return (np.rint(number) - number) / found.grid.c1


@pytest.mark.parametrize("bpm", [120.5, 124.0, 133.3, 144.0])
@pytest.mark.parametrize("hats", [0.0, 0.8])
def test_tempo_and_beats_are_found(bpm: float, hats: float) -> None:
    beats = steady(bpm, 0.37, 30)
    found = pulse(play(beats, 30, hats=hats))
    assert 60 * found.grid.c1 == pytest.approx(bpm, rel=TEMPO_ERROR * 4)  # of half a minute only
    assert np.abs(offsets(found, beats)).max() < BEAT_ERROR  # and not on the off-beat hat, however loud
    assert found.astray == ()
    assert found.grid.bend == ()  # steady beats stay steady


@pytest.mark.parametrize(("first", "last"), [(124.0, 126.0), (131.0, 128.0)])
def test_a_tempo_that_drifts_is_followed(first: float, last: float) -> None:
    beats = drifting(lambda time: first + (last - first) * time / 60, 0.2, 60)
    found = pulse(play(beats, 60))
    assert np.abs(offsets(found, beats)).max() < BEAT_ERROR
    for begin, end in ((0, 16), (20, 36), (44, 60)):  # a clip's own tempo
        inside = beats[(beats >= begin) & (beats < end)]
        true = 60 * (len(inside) - 1) / (inside[-1] - inside[0])
        assert found.grid.tempo(inside[0], inside[-1]) == pytest.approx(true, rel=5e-4)


@pytest.mark.parametrize("bpm", [0.3, 0.6])
def test_players_who_sway_are_followed(bpm: float) -> None:
    """The tempo swings up and down once a minute, by parts of a BPM: beats up to 50 ms off the steady ones."""
    beats = drifting(lambda time: 126 + bpm * np.sin(2 * np.pi * time / 60), 0.2, 60)
    found = pulse(play(beats, 60))
    assert found.grid.bend
    assert np.abs(offsets(found, beats)).max() < 0.008
    for number in (-40.0, 0.0, 30.5):
        assert float(found.grid.number(found.grid.time(number))) == pytest.approx(number, abs=1e-6)


def test_times_of_beats_invert_their_numbers() -> None:
    beats = drifting(lambda time: 124 + time / 30, 0.2, 60)
    grid = pulse(play(beats, 60)).grid
    for number in (-20.0, 0.0, 13.5, 40.0):
        assert float(grid.number(grid.time(number))) == pytest.approx(number, abs=1e-9)


@pytest.mark.parametrize(("bpm", "folded"), [(65.0, 130.0), (262.0, 131.0)])
def test_half_and_double_tempos_count(bpm: float, folded: float) -> None:
    found = pulse(play(steady(bpm, 0.2, 40), 40))
    assert 60 * found.grid.c1 == pytest.approx(folded, rel=TEMPO_ERROR * 4)


@pytest.mark.parametrize("bpm", [97.0, 100.0, 174.0])
def test_other_tempos_are_dropped_with_their_own_figure(bpm: float) -> None:
    """174 is 3/2 of 116, which librosa says of it; 97 is 3/4 of 129.3."""
    half = bpm / 2 if bpm > 150 else bpm
    with pytest.raises(Dropped, match=rf"outside 120 to 145 BPM \(({bpm:.1f}|{half:.1f})\)"):
        pulse(play(steady(bpm, 0.37, 30), 30))


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_beat(seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal((2, 30 * RATE)).astype(np.float32) * 0.1
    with pytest.raises(Dropped, match=r"no clear beat \(0\.0\d"):
        pulse(noise)


def test_a_pad_and_random_drums_have_none_and_silence_nothing() -> None:
    time = np.arange(30 * RATE) / RATE
    pad = np.sin(2 * np.pi * 220 * time) * (1 + 0.5 * np.sin(0.8 * time)) + np.sin(2 * np.pi * 277 * time)
    with pytest.raises(Dropped, match="no clear beat"):
        pulse(np.tile(0.2 * pad, (2, 1)).astype(np.float32))
    with pytest.raises(Dropped, match="no clear beat"):
        pulse(play(np.sort(np.random.default_rng(3).random(80) * 40), 40))
    with pytest.raises(Dropped, match="nothing sets in"):
        pulse(np.zeros((2, 20 * RATE), np.float32))


def test_a_breakdown_keeps_the_beat_and_a_leap_is_told() -> None:
    beats = steady(128, 0.2, 60)
    without = beats[(beats < 20) | (beats > 35)]
    broken = pulse(play(without, 60))
    assert np.abs(offsets(broken, beats)).max() < BEAT_ERROR
    assert broken.astray == ()
    leap = np.concatenate([beats[beats < 40], beats[beats >= 40] + 0.2])  # half a beat late from second 40 on
    found = pulse(play(leap, 60))
    assert np.abs(offsets(found, beats[beats < 38])).max() < 2 * BEAT_ERROR
    assert found.astray
    assert all(begin > 35 for begin, _ in found.astray)
    assert found.astray[-1][1] > 58


@pytest.mark.skipif(not LOOPS.is_dir(), reason="no real sounds here (shared/audio)")
@pytest.mark.parametrize(("name", "bpm"), list(REAL.items()))
def test_real_loops_have_the_tempo_of_their_length(name: str, bpm: float) -> None:
    data, rate = soundfile.read(LOOPS / f"loop_{name}.flac", always_2d=True, dtype="float32")
    loop = soxr.resample(data, rate, RATE).T
    found = pulse(np.tile(loop, 40 * RATE // loop.shape[1] + 1), Beats(130, 110, 160))
    assert 60 * found.grid.c1 == pytest.approx(bpm, rel=2e-4)
