# SPDX-License-Identifier: Apache-2.0
"""Pitches of tones whose answer is known, to 5 cents; noise has none; real notes are in tune."""

import csv
import math
from pathlib import Path

import pytest
import torch

import spect.measures.pitch as pitch
from spect import audio
from spect.errors import SoundError
from spect.measures.pitch import cents_off, pitch_track

AUDIO = Path(__file__).parents[4] / "shared" / "audio"


def note(midi: float, rate: int = 44100, seconds: float = 0.6) -> torch.Tensor:
    """Return a harmonic tone with partials up to Nyquist, 8 at most. Shape: [1, 1, L]."""
    hz, time = 440 * 2 ** ((midi - 69) / 12), torch.arange(round(seconds * rate)) / rate
    partials = [k for k in range(1, 9) if k * hz < rate / 2]
    return torch.as_tensor(0.2 * sum(torch.sin(2 * math.pi * k * hz * time) / k for k in partials))[None, None]


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("midi", [28, 60, 95])
def test_tones_are_heard_within_5_cents_at_every_rate(midi: int, rate: int) -> None:
    found = pitch_track(torch.cat([note(midi, rate), note(midi + 0.37, rate)]), rate)
    off = cents_off(found.hz, torch.tensor([midi, midi]))
    assert off.cents.tolist() == pytest.approx([0, 37], abs=5)
    assert off.octaves.tolist() == [0, 0]
    assert (found.cents_spread < 5).all()
    assert (found.voiced > 0.8).all()


def test_stereo_and_quiet_notes_are_heard_alike() -> None:
    plain = note(57)
    found = pitch_track([plain[0], plain[0].expand(2, -1), 1e-4 * plain[0]], 44100)
    assert found.hz.tolist() == pytest.approx([220] * 3, rel=0.003)


def test_noise_and_silence_are_unvoiced() -> None:
    noise = 0.1 * torch.randn(1, 2, 30000, generator=torch.Generator().manual_seed(0))
    found = pitch_track(torch.cat([noise, torch.zeros(1, 2, 30000)]), 44100)
    assert found.hz.isnan().all()
    assert found.cents_spread.isnan().all()
    assert found.voiced.tolist() == [0, 0]


def test_a_silent_end_is_not_unvoiced_and_noise_after_a_tone_is() -> None:
    tone, rest = note(60, seconds=1.0)[0], torch.zeros(1, 44100)
    noise = 0.1 * torch.randn(1, 44100, generator=torch.Generator().manual_seed(0))
    found = pitch_track([torch.cat([tone, rest], 1), torch.cat([tone, noise], 1)], 44100)
    assert found.voiced[0] > 0.9
    assert found.voiced[1] == pytest.approx(0.5, abs=0.1)


def test_vibrato_is_spread_around_its_middle() -> None:
    time = torch.arange(44100 * 2) / 44100
    depth_cents, rate_hz = 50, 2.0
    hz = 440 * 2 ** (depth_cents / 1200 * torch.sin(2 * math.pi * rate_hz * time.double()))
    wave = torch.sin(2 * math.pi * hz.cumsum(0) / 44100).float()
    found = pitch_track(0.3 * wave[None, None], 44100)
    assert cents_off(found.hz, torch.tensor([69])).cents.item() == pytest.approx(0, abs=8)
    assert found.cents_spread.item() == pytest.approx(2 * depth_cents * math.sin(math.pi / 4), abs=15)


def test_octaves_are_told_apart_from_the_error_within_them() -> None:
    off = cents_off(torch.tensor([440.0, 880.0, 220 * 2 ** (0.2 / 12), 440 * 2**0.51, torch.nan]), torch.full((5,), 69))
    assert off.octaves[:4].tolist() == [0, 1, -1, 1]
    assert off.folded[:4].tolist() == pytest.approx([0, 0, 20, -588], abs=1e-3)
    assert off.cents[:4].tolist() == pytest.approx([0, 1200, -1180, 612], abs=1e-3)
    assert off.cents[4].isnan()


@pytest.mark.parametrize("length", [1, 10, 5000])
def test_short_sounds_are_taken(length: int) -> None:
    assert pitch_track(torch.ones(2, 2, length), 8000).hz.shape == (2,)


def test_nothing_is_an_empty_answer() -> None:
    assert pitch_track([], 44100).hz.shape == (0,)


def test_wrong_sounds_are_refused() -> None:
    with pytest.raises(SoundError, match="1 or 2, L"):
        pitch_track(torch.zeros(3, 100), 44100)
    with pytest.raises(SoundError, match="NaN"):
        pitch_track(torch.full((1, 1, 100), torch.nan), 44100)


def test_without_librosa_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pitch, "find_spec", lambda name: None)
    with pytest.raises(SoundError, match=r"pip install '\.\[pitch\]'"):
        pitch_track(note(60), 44100)


@pytest.mark.slow
def test_processes_give_the_same() -> None:
    sounds = torch.cat([note(midi) for midi in (40, 60, 80)])
    alone, together = pitch_track(sounds, 44100), pitch_track(sounds, 44100, workers=2)
    assert torch.equal(alone.hz, together.hz)


def test_real_notes_are_in_tune() -> None:
    if not AUDIO.exists():
        pytest.skip("shared/audio isn't beside this tree")
    with open(AUDIO / "index.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["midi_pitch"]][::7]
    found, wanted = [], []
    for row in rows:
        sound, rate = audio.read(AUDIO / row["file"])
        found.append(pitch_track(torch.from_numpy(sound[None, :, :rate]), rate).hz)
        wanted.append(float(row["midi_pitch"]))
    off = cents_off(torch.cat(found), torch.tensor(wanted))
    assert off.folded.abs().median() < 10
    assert off.folded.abs().max() < 30
    organ = torch.tensor([row["class"] == "organ" for row in rows])
    assert (off.octaves[~organ] == 0).all()
    assert (off.octaves[organ] == -2).all()  # it has a stop of 16 feet, and the file's name is not what it sounds
