# SPDX-License-Identifier: Apache-2.0
"""The paper's similarity: identities, its treatment of empty channels, its trap, and the command."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spect.audio import to_stereo
from spect.cmyk import Cmyk
from spect.errors import SoundError
from spect.similarity import main, similarity
from spect.wavfile import write_wav

ROOT = Path(__file__).parents[2]
FAITHFUL = 0.99999  # what the packed picture must keep


def noise(seed: int, length: int = 20000, level: float = 0.5) -> np.ndarray:
    return (level * np.random.default_rng(seed).uniform(-1, 1, (2, length))).astype(np.float32)


def bass(length: int) -> np.ndarray:
    """A mono sine on C1 (32.7 Hz): a twelfth of its power is its frames' means."""
    return (0.5 * np.sin(2 * np.pi * np.arange(length) * 32.703 / 44100)).astype(np.float32)[None]


def through(sound: np.ndarray, form: Cmyk) -> np.ndarray:
    return form.decode(form.encode(torch.from_numpy(sound))).numpy()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), length=st.integers(1, 400), level_db=st.floats(-180, 0), gain_db=st.floats(-60, 60))
def test_a_sound_is_like_itself_at_any_level_and_polarity(
    seed: int, length: int, level_db: float, gain_db: float
) -> None:
    sound = noise(seed, length, 10 ** (level_db / 20)).astype(np.float64)
    assert similarity(sound, sound) == pytest.approx(1, abs=1e-9)
    assert similarity(sound, -(10 ** (gain_db / 20)) * sound) == pytest.approx(1, abs=1e-9)


def test_similarity_is_symmetric_and_within_bounds() -> None:
    a, b = noise(1), noise(1) + noise(2, level=0.3)
    assert similarity(a, b) == similarity(b, a)
    assert 0 < similarity(a, b) < 1


def test_unrelated_sounds_are_unlike() -> None:
    assert similarity(noise(1), noise(2)) < 0.03


def test_value_is_the_root_mean_square_of_two_cosines() -> None:
    mid, side, other = np.random.default_rng(3).standard_normal((3, 5000))
    wave = 0.6 * mid + 0.8 * other
    cosine = (mid @ wave) / np.linalg.norm(mid) / np.linalg.norm(wave)
    value = similarity(np.stack([mid + side, mid - side]), np.stack([wave + side, wave - side]))
    assert value == pytest.approx(np.sqrt((cosine**2 + 1) / 2), abs=1e-12)


def test_the_shorter_sound_is_padded_with_zeros() -> None:
    sound = noise(4)
    assert similarity(sound, np.pad(sound, ((0, 0), (0, 777)))) == pytest.approx(1, abs=1e-12)
    half = similarity(sound, sound[:, :10000])
    assert half == pytest.approx(np.sqrt(0.5), abs=0.02)


def test_empty_channels_agree_and_silence_equals_silence() -> None:
    mono = to_stereo(noise(5)[:1])
    assert similarity(mono, mono) == pytest.approx(1, abs=1e-12)
    side_only = mono * np.array([[1], [-1]], dtype=np.float32)
    assert similarity(side_only, side_only) == pytest.approx(1, abs=1e-12)
    assert similarity(np.zeros((2, 10)), np.zeros((2, 33))) == pytest.approx(1, abs=1e-12)
    assert similarity(mono, np.zeros((2, 20000))) < 0.75


def test_the_papers_mono_trap_springs_on_rounding_noise_and_not_on_the_packed_picture() -> None:
    packed, dropped = Cmyk(frames=32), Cmyk(frames=32, dc="dropped")
    mono = to_stereo(bass(packed.samples))
    assert similarity(mono, through(mono, packed)) >= FAITHFUL
    lossy = through(mono, dropped)
    assert 0.9 < similarity(mono, lossy) < 0.99
    rounding = 1e-7 * np.random.default_rng(6).standard_normal((1, packed.samples)).astype(np.float32)
    trapped = similarity(mono, lossy + rounding * np.array([[1], [-1]], dtype=np.float32))
    assert trapped == pytest.approx(0.65, abs=0.05)


def test_packed_picture_is_faithful_to_stereo_offset_and_square_waves() -> None:
    form = Cmyk(rows=64, frames=32)
    square = np.sign(np.sin(np.arange(form.samples) * 0.01 + 1e-3))
    for sound in (noise(7, form.samples), noise(8, form.samples, 0.1) + 0.8, np.stack([square, 0.3 - square / 2])):
        assert similarity(sound, through(sound.astype(np.float32), form)) >= FAITHFUL


def test_bad_sounds_are_refused() -> None:
    for sound in (np.zeros((1, 5)), np.zeros((2, 0)), np.full((2, 5), np.nan)):
        with pytest.raises(SoundError, match="similarity"):
            similarity(sound, np.zeros((2, 5)))


def test_command_prints_the_number(tmp_path: Path) -> None:
    for name, seed in (("a.wav", 1), ("b.wav", 2)):
        write_wav(tmp_path / name, noise(seed), 44100)
    command = [sys.executable, "-m", "spect.similarity", str(tmp_path / "a.wav")]
    same, other, missing = (
        subprocess.run([*command, str(tmp_path / name)], capture_output=True, text=True, cwd=ROOT, check=False)
        for name in ("a.wav", "b.wav", "c.wav")
    )
    assert (same.returncode, same.stdout, same.stderr) == (0, "1.000000\n", "")
    assert float(other.stdout) < 0.03
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.count("\n") == 1
    assert "No such file" in missing.stderr


def test_command_asks_before_it_resamples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    time = np.arange(20000)
    for name, rate in (("a.wav", 44100), ("b.wav", 22050)):
        write_wav(tmp_path / name, 0.5 * np.sin(2 * np.pi * 440 * time[: rate // 4] / rate)[None], rate)
    files = [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]
    assert main(files) == 2
    assert "--resample" in capsys.readouterr().err
    assert main([*files, "--resample"]) == 0
    assert float(capsys.readouterr().out) > 0.999
