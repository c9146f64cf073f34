# SPDX-License-Identifier: Apache-2.0
"""Writing wav files: exact samples, tags that libsndfile reads, whole or not at all, never clipped in silence."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spect import files
from spect.audio import read
from spect.errors import SoundError
from spect.wavfile import TAGS, Acid, Subtype, read_info, write_wav

NOISE = (np.random.default_rng(0).random((2, 777), dtype=np.float32) * 2 - 1) * np.float32(0.999)


# libsndfile's remark on odd chunks, which RIFF allows with a padding byte, and which it writes itself.
ODD_DATA = "*** 'data' chunk should be an even number of bytes in length."


@pytest.mark.parametrize(("subtype", "step"), [("PCM_24", 2.0**-23), ("PCM_16", 2.0**-15), ("FLOAT", 0.0)])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_come_back_within_half_a_step(tmp_path: Path, subtype: Subtype, step: float, channels: int) -> None:
    path = tmp_path / "x.wav"
    write_wav(path, NOISE[:channels], 48000, subtype=subtype)
    sound, rate = read(path)
    assert rate == 48000
    assert soundfile.info(path).subtype == subtype
    assert np.abs(sound - NOISE[:channels]).max() <= step / 2


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_16"])
def test_reading_and_writing_again_changes_no_byte(tmp_path: Path, subtype: Subtype) -> None:
    write_wav(tmp_path / "a.wav", NOISE, 44100, subtype=subtype)
    write_wav(tmp_path / "b.wav", read(tmp_path / "a.wav")[0], 44100, subtype=subtype)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_default_is_24_bits_and_sound_starts_at_byte_44(tmp_path: Path) -> None:
    write_wav(tmp_path / "x.wav", NOISE, 44100, info={"title": "seed 7"})
    assert soundfile.info(tmp_path / "x.wav").subtype == "PCM_24"
    assert (tmp_path / "x.wav").read_bytes()[36:40] == b"data"


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_16"])
def test_full_scale_takes_the_outermost_codes(tmp_path: Path, subtype: Subtype) -> None:
    write_wav(tmp_path / "x.wav", np.array([[1.0, -1.0]], dtype=np.float32), 44100, subtype=subtype)
    step = 2.0 ** (1 - int(subtype[-2:]))
    np.testing.assert_array_equal(read(tmp_path / "x.wav")[0], [[1 - step, -1.0]])


def test_above_full_scale_is_refused_in_pcm_and_kept_in_float(tmp_path: Path) -> None:
    path, loud = tmp_path / "x.wav", np.array([[0.5, -1.25]], dtype=np.float32)
    with pytest.raises(SoundError, match=r"peak 1\.25.*FLOAT"):
        write_wav(path, loud, 44100)
    assert not list(tmp_path.iterdir())
    write_wav(path, loud, 44100, subtype="FLOAT")
    np.testing.assert_array_equal(read(path)[0], loud)


def test_bad_sounds_and_tags_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    for sound, reason in [
        (np.array([[np.nan]]), "NaN"), (np.zeros((2, 0)), "channels, L"), (np.zeros(5), "channels, L"),
    ]:  # fmt: skip
        with pytest.raises(SoundError, match=reason):
            write_wav(path, sound, 44100, subtype="FLOAT")
    for tag, value in [("remark", "x"), ("NÄME", "x"), ("title", "a\0b")]:
        with pytest.raises(SoundError, match=tag):
            write_wav(path, NOISE, 44100, info={tag: value})
    with pytest.raises(SoundError, match="PCM_8"):
        write_wav(path, NOISE, 44100, subtype="PCM_8")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("subtype", ["PCM_24", "PCM_16", "FLOAT"])
def test_libsndfile_reads_tags_and_complains_of_nothing(tmp_path: Path, subtype: Subtype) -> None:
    recipe = json.dumps({"seed": 42, "psi": 0.7, "name": "Flöte"}, ensure_ascii=False)
    info = {name: f"the {name}" for name in TAGS} | {"comment": recipe, "IKEY": "own"}
    write_wav(tmp_path / "x.wav", NOISE[:1], 44100, subtype=subtype, info=info)
    with soundfile.SoundFile(tmp_path / "x.wav") as file:
        assert {name: getattr(file, name) for name in TAGS} == {name: info[name] for name in TAGS}
        log = file.extra_info.replace(ODD_DATA, "")
        assert file.frames == 777
    for complaint in ("***", "should be", "too big", "Unknown"):
        assert complaint not in log, log
    assert read_info(tmp_path / "x.wav") == info


def test_a_recipe_longer_than_libsndfiles_limit_survives(tmp_path: Path) -> None:
    recipe = json.dumps({"edits": ["ü" * 37 + str(i) for i in range(500)]}, ensure_ascii=False)
    assert len(recipe.encode()) > 20000
    write_wav(tmp_path / "x.wav", NOISE, 44100, info={"comment": recipe, "title": "t"})
    assert read_info(tmp_path / "x.wav") == {"comment": recipe, "title": "t"}
    with soundfile.SoundFile(tmp_path / "x.wav") as file:
        assert "too big" not in file.extra_info
        assert file.title == "t"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3000), title=st.just("x"))
def test_any_text_survives_as_a_tag(tmp_path: Path, value: str, title: str) -> None:
    write_wav(tmp_path / "x.wav", NOISE[:, :3], 44100, info={"comment": value, "title": title})
    assert read_info(tmp_path / "x.wav") == {"comment": value, "title": title}


def test_tags_of_soundfiles_own_files_are_read(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "x.wav", "w", 44100, 2, "PCM_16") as file:
        file.title = "from libsndfile"
        file.write(NOISE.T)
    assert read_info(tmp_path / "x.wav")["title"] == "from libsndfile"
    write_wav(tmp_path / "y.wav", NOISE, 44100)
    assert read_info(tmp_path / "y.wav") == {}
    (tmp_path / "z.wav").write_text("no riff")
    with pytest.raises(SoundError, match="not a wav file"):
        read_info(tmp_path / "z.wav")


def test_a_failure_in_writing_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.wav"
    write_wav(path, NOISE, 44100)
    before = path.read_bytes()

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_wav(path, NOISE / 2, 44100)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.wav"]


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_libsndfile_reads_the_acid_chunk_without_remark(tmp_path: Path, subtype: Subtype) -> None:
    path, sound = tmp_path / "x.wav", NOISE[:, :600]
    write_wav(path, sound, 44100, subtype=subtype, info={"title": "loop"}, acid=Acid(127.5, 16, root=62))
    with soundfile.SoundFile(path) as file:
        log = file.extra_info
    for said in (
        "Flags     : 0x0006 (Loop,RootNoteValid,StretchOn",
        "Root note : 0x3E",
        "Beats     : 16",
        "Tempo     : 127.5",
    ):
        assert said in log
    assert "***" not in log
    assert read_info(path)["title"] == "loop"
    np.testing.assert_allclose(read(path)[0], sound, atol=2.0**-24)


def test_the_acid_chunk_is_laid_out_as_samplers_expect() -> None:
    loop, other = Acid(130.0, 16).to_bytes(), Acid(98.25, 7, loop=False).to_bytes()
    assert len(loop) == 24
    assert struct.unpack("<IHHfIHHf", loop) == (4, 60, 0x8000, 0.0, 16, 4, 4, 130.0)
    assert struct.unpack("<IHHfIHHf", other) == (1, 60, 0x8000, 0.0, 7, 4, 4, 98.25)
