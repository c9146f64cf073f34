# SPDX-License-Identifier: Apache-2.0
"""Reading sounds: every format, every kind of broken file in one line, and nothing changed on the way."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spect.audio import SoundInfo, mix_down, probe, read, resample, to_stereo
from spect.errors import SoundError

RATE = 44100
EXACT = [
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"),
    ("WAVEX", "PCM_24"), ("RF64", "PCM_24"), ("W64", "PCM_24"), ("AIFF", "PCM_24"), ("FLAC", "PCM_24"),
    ("CAF", "PCM_16"), ("AU", "PCM_16"),
]  # fmt: skip
LOSSY = [("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]
STEP = {"PCM_U8": 2**-6, "PCM_16": 2**-14}  # two quantisation steps


def tones(frames: int = 20000, channels: int = 2) -> np.ndarray:
    time = np.arange(frames)[:, None] / RATE
    return (0.5 * np.sin(2 * np.pi * time * (220.0 + 110.0 * np.arange(channels)))).astype(np.float32)


def stored(path: Path, data: np.ndarray, form: str = "WAV", subtype: str = "PCM_16") -> Path:
    soundfile.write(path, data, RATE, subtype=subtype, format=form)
    return path


@pytest.mark.parametrize(("form", "subtype"), EXACT)
def test_every_lossless_format_reads_back_from_path_and_object(tmp_path: Path, form: str, subtype: str) -> None:
    data = tones()
    path = stored(tmp_path / "sound.bin", data, form, subtype)
    sound, rate = read(path)
    assert (sound.shape, sound.dtype, rate) == ((2, 20000), np.float32, RATE)
    assert sound.flags.c_contiguous
    np.testing.assert_allclose(sound, data.T, rtol=0, atol=STEP.get(subtype, 2**-22))
    again, _ = read(io.BytesIO(path.read_bytes()))
    np.testing.assert_array_equal(again, sound)
    with path.open("rb") as file:
        assert probe(file) == SoundInfo(RATE, 2, 20000, form, subtype)


@pytest.mark.parametrize(("form", "subtype"), LOSSY)
def test_lossy_formats_read(tmp_path: Path, form: str, subtype: str) -> None:
    sound, rate = read(stored(tmp_path / "sound", tones(), form, subtype))
    assert rate == RATE
    assert sound.shape[0] == 2
    assert np.corrcoef(sound[0, 4000:16000], tones()[4000:16000, 0])[0, 1] > 0.99


def test_extensible_header_and_odd_depths_keep_24_bits(tmp_path: Path) -> None:
    codes = np.array([[0, 1], [-1, 8388607], [-8388608, 12345]], dtype=np.int32) << 8
    sound, _ = read(stored(tmp_path / "x.wav", codes, "WAVEX", "PCM_24"))
    np.testing.assert_array_equal(sound.T, (codes >> 8) / 2.0**23)


def test_float_files_keep_offset_and_values_above_full_scale(tmp_path: Path) -> None:
    data = np.array([[3.5], [0.25], [0.25], [-7.0]], dtype=np.float32)
    sound, _ = read(stored(tmp_path / "x.wav", data, subtype="FLOAT"))
    np.testing.assert_array_equal(sound, data.T)


def test_a_part_is_the_same_as_a_part_of_the_whole(tmp_path: Path) -> None:
    path = stored(tmp_path / "x.flac", tones(), "FLAC", "PCM_24")
    whole, _ = read(path)
    np.testing.assert_array_equal(read(path, start=5000, frames=1000)[0], whole[:, 5000:6000])
    np.testing.assert_array_equal(read(path, start=19000, frames=5000)[0], whole[:, 19000:])
    with pytest.raises(SoundError, match="outside"):
        read(path, start=20000)


@pytest.mark.parametrize(("form", "subtype"), [pair for pair in EXACT + LOSSY if pair != ("WAV", "PCM_U8")])
@pytest.mark.filterwarnings("ignore")
def test_truncated_files_are_refused_by_that_name(tmp_path: Path, form: str, subtype: str) -> None:
    path = stored(tmp_path / "cut.bin", tones(), form, subtype)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    for source in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(SoundError, match="truncated"):
            read(source)


@pytest.mark.parametrize("placeholder", [0xFFFFFFFF, 0x7FFFF000])
def test_a_streamed_wav_with_an_open_length_is_read(tmp_path: Path, placeholder: int) -> None:
    path = stored(tmp_path / "pipe.wav", tones())
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = struct.pack("<I", placeholder)
    assert read(io.BytesIO(bytes(data)))[0].shape == (2, 20000)


def test_a_flac_of_unknown_length_is_refused_in_words(tmp_path: Path) -> None:
    data = bytearray(stored(tmp_path / "x.flac", tones(), "FLAC", "PCM_16").read_bytes())
    data[21] &= 0xF0  # STREAMINFO: 36 bits of total samples, 0 = unknown
    data[22:26] = bytes(4)
    with pytest.raises(SoundError, match="doesn't tell its length"):
        read(io.BytesIO(bytes(data)))


def test_what_is_no_sound_is_refused_by_its_reason(tmp_path: Path) -> None:
    text, empty, header = tmp_path / "text.wav", tmp_path / "empty.wav", tmp_path / "header.wav"
    text.write_text("a letter, renamed\n" * 50)
    empty.write_bytes(b"")
    stored(header, tones(0))
    cases = [
        (text, "not a sound"), (empty, "zero length"), (header, "zero length"), (tmp_path, "folder"),
        (tmp_path / "no.wav", "No such file"),
    ]  # fmt: skip
    for path, reason in cases:
        with pytest.raises(SoundError, match=reason) as caught:
            read(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", ["raw", "snd", "gsm", "vox", "au"])
def test_a_name_never_makes_text_a_sound(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"text.{suffix}"
    path.write_text("no header here " * 500)
    for source in (path, path.open("rb")):
        with pytest.raises(SoundError, match="not a sound"):
            read(source)
        if not isinstance(source, Path):
            source.close()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_inf_are_refused_with_their_place(tmp_path: Path, bad: float) -> None:
    data = tones(100)
    data[42, 1] = bad
    with pytest.raises(SoundError, match="frame 42"):
        read(stored(tmp_path / "x.wav", data, subtype="FLOAT"))


def test_refusals_leave_no_open_files(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    text = tmp_path / "text.wav"
    text.write_text("text" * 100)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(SoundError):
            probe(text)
    assert len(os.listdir("/proc/self/fd")) == before


def test_more_channels_are_refused_by_number_unless_mixed_down(tmp_path: Path) -> None:
    path = stored(tmp_path / "quad.wav", tones(channels=4))
    assert probe(path).channels == 4
    with pytest.raises(SoundError, match=r"4 channels.*--downmix"):
        read(path)
    assert read(path, downmix=True)[0].shape == (2, 20000)


@pytest.mark.parametrize("channels", [3, 4, 5, 6, 7, 8, 12])
def test_mixing_down_never_exceeds_full_scale_and_keeps_sides_apart(channels: int) -> None:
    full = mix_down(np.ones((channels, 10), dtype=np.float32))
    assert np.abs(full).max() <= 1 + 1e-6
    if channels in (3, 4, 5, 6, 8):
        left_only = np.zeros((channels, 10), dtype=np.float32)
        left_only[0] = 1
        left, right = mix_down(left_only)
        assert left.min() > 0.2
        assert not right.any()
        np.testing.assert_allclose(full[0], full[1])


def test_mono_becomes_two_equal_channels() -> None:
    sound = tones(channels=1).T
    stereo = to_stereo(sound)
    assert stereo.shape == (2, 20000)
    np.testing.assert_array_equal(stereo[0], stereo[1])
    assert to_stereo(stereo) is stereo
    with pytest.raises(SoundError, match="1 or 2"):
        to_stereo(np.zeros((3, 5), dtype=np.float32))


@pytest.mark.parametrize(("start", "end"), [(48000, 44100), (44100, 48000), (8000, 44100), (44100, 22050)])
def test_resampling_moves_a_tone_to_its_place(start: int, end: int) -> None:
    length = start // 2
    sound = np.sin(2 * np.pi * 1000 * np.arange(length) / start).astype(np.float32)[None]
    out = resample(sound, start, end)
    assert out.shape == (1, round(length * end / start))
    ideal = np.sin(2 * np.pi * 1000 * np.arange(out.shape[1]) / end)
    inner = slice(end // 20, -end // 20)
    error_db = 10 * np.log10(np.mean((out[0, inner] - ideal[inner]) ** 2) / 0.5)
    assert error_db < -110  # VHQ in float32


def test_tone_above_the_new_nyquist_is_gone_by_soxr_and_aliases_by_the_papers_way() -> None:
    sound = np.sin(2 * np.pi * 15000 * np.arange(44100) / 44100).astype(np.float32)[None]
    inner = slice(2000, -2000)
    clean, aliased = (resample(sound, 44100, 22050, method)[0, inner] for method in ("soxr", "linear"))
    assert 10 * np.log10(np.mean(clean**2) / 0.5) < -110
    assert 10 * np.log10(np.mean(aliased**2) / 0.5) > -10


def test_resampling_neither_clips_nor_shifts_the_mean() -> None:
    sound = np.full((2, 5000), 1.5, dtype=np.float32)
    np.testing.assert_allclose(resample(sound, 44100, 48000)[:, 1000:-1000], 1.5, rtol=1e-5)
    assert resample(sound, 44100, 44100) is sound


@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_resampling_the_shortest_sounds_keeps_the_length_rule(length: int) -> None:
    for method in ("soxr", "linear"):
        out = resample(np.ones((2, length), dtype=np.float32), 44100, 8000, method)  # type: ignore[arg-type]
        assert out.shape == (2, max(round(length * 8000 / 44100), min(length, 1)))
        assert out.dtype == np.float32
    with pytest.raises(SoundError, match="resampler"):
        resample(np.ones((2, 5), dtype=np.float32), 44100, 8000, "cubic")  # type: ignore[arg-type]
