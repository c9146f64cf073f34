# SPDX-License-Identifier: Apache-2.0
"""Notes by name and number; the pitch in a sampler's wav."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spect.pitch import midi_note, unity_note


def with_smpl(path: Path, note: int, fraction: int = 0, seconds: float = 0.05) -> None:
    """Write a wav with a smpl chunk after its sound, as samplers do, and an odd chunk before it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * np.sin(np.arange(round(8000 * seconds)) * 0.3), 8000, format="WAV", subtype="PCM_16")
    smpl = b"smpl" + struct.pack("<IIIIIIIIII", 36, 0, 0, 125000, note, fraction, 0, 0, 0, 0)
    body = buffer.getvalue()[8:] + b"odd " + struct.pack("<I", 3) + b"abc\0" + smpl
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize(
    ("text", "note"),
    [("C4", 60), ("c4", 60), ("A4", 69), ("C#3", 49), ("Db3", 49), ("Fs5", 78), ("B♭2", 46), ("C-1", 0), ("G9", 127),
     ("060", 60), ("60.5", 60.5), ("0", 0)],
)  # fmt: skip
def test_c4_is_60_and_a_semitone_is_1(text, note):
    assert midi_note(text) == note


@pytest.mark.parametrize("text", ["", "H4", "C", "G#9", "128", "-1", "loop", "C##3", "1e2", "²"])
def test_what_is_no_note_is_none(text):
    assert midi_note(text) is None


def test_the_unity_note_is_read_with_its_fraction(tmp_path):
    with_smpl(tmp_path / "a.wav", 64)
    with_smpl(tmp_path / "b.wav", 64, 0x80000000)
    assert soundfile.info(tmp_path / "b.wav", verbose=True).extra_info.count("smpl") == 1
    assert unity_note(tmp_path / "a.wav") == 64
    assert unity_note(tmp_path / "b.wav") == 64.5  # 0x80000000 is 50 cents
    assert unity_note(io.BytesIO((tmp_path / "b.wav").read_bytes())) == 64.5


def test_a_file_without_a_pitch_has_none(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(10), 8000)
    with_smpl(tmp_path / "high.wav", 200)
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    (tmp_path / "c.flac").write_bytes(b"fLaC" * 9)
    cut = tmp_path / "cut.wav"
    with_smpl(cut, 60)
    cut.write_bytes(cut.read_bytes()[:-30])
    assert [unity_note(path) for path in sorted(tmp_path.iterdir())] == [None] * 5
