# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import soundfile

from spect.convert import main
from spect.views import cmyk  # noqa: F401
from spect.wavfile import write_wav

RATE = 8000


def tone(path, samples=5000, channels=2):
    t = np.arange(samples) / RATE
    sound = np.stack([0.5 * np.sin(2 * np.pi * hz * t) for hz in (440.0, 660.0)[:channels]]).astype(np.float32)
    write_wav(path, sound, RATE)
    return sound


def test_a_sound_goes_there_and_back_at_its_own_length_and_rate(tmp_path, capsys):
    sound = tone(tmp_path / "tone.wav")
    assert main([str(tmp_path / "tone.wav"), str(tmp_path / "new" / "out"), "--view=cmyk"]) == 0
    back, rate = soundfile.read(tmp_path / "new" / "out.wav", dtype="float32")
    assert (rate, back.shape) == (RATE, (5000, 2))
    assert np.abs(back.T - sound).max() < 1e-5
    assert (tmp_path / "new" / "out.png").read_bytes().startswith(b"\x89PNG")
    assert "cmyk 4x64x64, similarity 1.0000" in capsys.readouterr().out


def test_a_mono_file_and_parameters_by_hand(tmp_path, capsys):
    tone(tmp_path / "mono.wav", channels=1)
    assert main([str(tmp_path / "mono.wav"), str(tmp_path / "out"), "--view=cmyk", "--view-args=rows=32"]) == 0
    assert "cmyk 4x32x128" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("view", "more", "told"),
    [
        ("cymk", "", "--view: got 'cymk'; allowed: cmyk"),
        ("cmyk", "hop=3", "view cmyk: it has no parameter 'hop'; allowed: rows, frames, dc"),
        ("cmyk", "rows=many", "view cmyk: rows is a whole number, got 'many'"),
        ("cmyk", "dc=half", "view cmyk: dc is one of packed, dropped, got 'half'"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, view, more, told):
    tone(tmp_path / "tone.wav")
    assert main([str(tmp_path / "tone.wav"), str(tmp_path / "out"), f"--view={view}", f"--view-args={more}"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(told)
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("out*"))
