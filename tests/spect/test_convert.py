# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import soundfile

from spect.convert import main
from spect.representation import REPRESENTATIONS
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


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_silence_and_a_single_sample_go_through_every_view(tmp_path, capsys, name):
    write_wav(tmp_path / "silence.wav", np.zeros((2, 500), np.float32), RATE)
    write_wav(tmp_path / "click.wav", np.full((1, 1), 0.5, np.float32), RATE)
    for file in ("silence", "click"):
        assert main([str(tmp_path / f"{file}.wav"), str(tmp_path / "out"), f"--view={name}"]) == 0
        assert "lowered" not in capsys.readouterr().out
        back, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
        assert np.isfinite(back).all()
        assert back.any() == (file == "click")


@pytest.mark.parametrize(
    ("view", "more", "told"),
    [
        ("cymk", "", "--view: got 'cymk'; allowed: cmyk"),
        ("cmyk", "hop=3", "view cmyk: it has no parameter 'hop'; allowed: rows, frames, dc"),
        ("cmyk", "rows=many", "view cmyk: rows is a whole number, got 'many'"),
        ("cmyk", "rows", "--view-args=rows: give parameters like window=1024,hop=256"),
        ("stft", "rows=0", "stft: rows is a whole number from 1 up, got 0"),
        ("stereo", "hop=0", "stereo: hop is a whole number from 1 up, got 0"),
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


def test_a_place_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    tone(tmp_path / "tone.wav")
    monkeypatch.chdir(tmp_path)
    for out, told in (("tone.wav/out", "OUT: tone.wav"), (".", "OUT: got '.'"), ("new/" + 300 * "x", "OUT: ")):
        assert main(["tone.wav", out, "--view=cmyk"]) == 2
        error = capsys.readouterr().err
        assert error.startswith(told)
        assert error.count("\n") == 1
        assert [path.name for path in tmp_path.iterdir()] == ["tone.wav"]
