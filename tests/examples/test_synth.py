# SPDX-License-Identifier: Apache-2.0
"""The synthesizer's notes are what a sound GAN should be fed: stereo, levelled, in tune, without clicks or DC."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from examples.synth import KINDS, main, plan_notes, synthesize

RATE = 8000
SAMPLES = 8192


@pytest.fixture(scope="module")
def notes() -> dict[str, np.ndarray]:
    return {note.name: sound for note, sound in synthesize(60, SAMPLES, RATE, seed=0)}


def test_notes_spread_over_classes_octaves_and_patches():
    planned = plan_notes(100, np.random.default_rng(0))
    assert len({note.name for note in planned}) == 100
    for kind, ranges in KINDS.items():
        low, high = ranges.octaves
        mine = [note for note in planned if note.kind == kind]
        assert len(mine) in (33, 34)
        assert {note.midi // 12 - 1 for note in mine} == set(range(low, high + 1))
        # As in the paper: one half of the patches on even octaves, the other on odd ones.
        assert all((note.midi // 12 - 1) % 2 == note.patch % 2 for note in mine)


def test_peak_lies_between_4_and_2_db_below_full_scale(notes):
    peaks_db = [20 * np.log10(np.abs(sound).max()) for sound in notes.values()]
    assert min(peaks_db) >= -4.001
    assert max(peaks_db) <= -1.999


def test_mean_is_below_a_thousandth_of_the_peak(notes):
    assert max(np.abs(sound.mean(axis=1)).max() for sound in notes.values()) < 1e-3 * 10 ** (-4 / 20)


def test_notes_begin_and_end_without_a_click(notes):
    for sound in notes.values():
        peak = np.abs(sound).max()
        assert np.abs(sound[:, [0, -1]]).max() <= 1e-6 * peak
        assert np.abs(sound[:, 1]).max() <= 0.05 * peak


def test_notes_are_truly_stereo(notes):
    for sound in notes.values():
        mid, side = (sound[0] + sound[1]) / 2, (sound[0] - sound[1]) / 2
        assert np.sum(side**2) > 0.003 * np.sum(mid**2)


def test_the_same_seed_gives_the_same_notes_and_another_seed_others():
    first, again, other = (list(synthesize(5, 2048, RATE, seed)) for seed in (1, 1, 2))
    for (note, sound), (note_again, sound_again) in zip(first, again, strict=True):
        assert note == note_again
        np.testing.assert_array_equal(sound, sound_again)
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))


def test_a_note_is_in_tune():
    for note, sound in synthesize(12, 4 * RATE, RATE, seed=3):
        expected_hz = 440 * 2 ** ((note.midi - 69) / 12)
        # The harmonic sum is a comb: its autocorrelation peaks at the period, within the voices' detuning of 18 cents.
        spectrum = np.abs(np.fft.rfft(sound.mean(axis=0) * np.hanning(sound.shape[1]), 4 * sound.shape[1])) ** 2
        hz = np.fft.rfftfreq(4 * sound.shape[1], 1 / RATE)
        near = np.zeros_like(hz, dtype=bool)
        for k in range(1, int(RATE / 2 / expected_hz) + 1):
            near |= np.abs(1200 * np.log2(np.maximum(hz, 1e-9) / (k * expected_hz))) < 60
        assert spectrum[near].sum() > 0.9 * spectrum.sum(), note.name


def test_no_harmonic_lies_above_the_band_limit():
    for _, sound in synthesize(12, SAMPLES, RATE, seed=4):
        power = np.abs(np.fft.rfft(sound[0].astype(float) * np.hanning(SAMPLES))) ** 2
        above = power[int(0.47 * SAMPLES) :].sum()
        assert above < 1e-5 * power.sum()  # -50 dB


def test_command_writes_class_folders_of_16_bit_stereo_wavs(tmp_path: Path, capsys):
    main([str(tmp_path / "sounds"), "--count", "6", "--seconds", "0.25", "--sample-rate", "16000", "--seed", "5"])
    paths = sorted((tmp_path / "sounds").rglob("*.wav"))
    assert len(paths) == 6
    assert {path.parent.name for path in paths} == set(KINDS)
    rate, data = wavfile.read(paths[0])
    assert (rate, data.shape, data.dtype) == (16000, (4000, 2), np.int16)
    assert "6 notes of 0.25 s at 16000 Hz" in capsys.readouterr().out


def test_a_count_of_zero_is_refused_in_one_line(tmp_path: Path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path), "--count", "0"])
    assert stopped.value.code == 2
    assert "at least 1" in capsys.readouterr().err
