# SPDX-License-Identifier: Apache-2.0
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from patches.errors import UserError
from patches.generate.video import CAPTION, FPS, Clip, find_ffmpeg, frames, write_video
from spect.preview import save_png
from spect.wavfile import write_wav

FRAME = 1 / FPS  # seconds


def clip(folder: Path, name: str, rate: int, seconds: float, picture: np.ndarray, trimmed: float = 0.0) -> Clip:
    """Write decaying noise below rate / 8, another for each name, and its picture."""
    samples = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(len(name)).standard_normal((2, samples)))
    spectrum[:, samples // 8 :] = 0
    sound = np.fft.irfft(spectrum, samples) * np.exp(-3 * np.arange(samples) / samples)
    kept = samples - round(trimmed * rate)
    write_wav(folder / f"{name}.wav", (0.9 * sound / np.abs(sound).max()).astype(np.float32)[:, :kept], rate)
    save_png(folder / f"{name}.png", picture)
    return Clip(folder / f"{name}.wav", folder / f"{name}.png", samples)


def flat(value: int, height: int = 16, width: int = 32) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def decoded(film: Path, *options: str) -> bytes:
    command = [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-i", str(film), *options, "pipe:1"]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg, the extra 'video', is not installed")
    return find_ffmpeg()


@pytest.mark.parametrize("rate", [44100, 8000, 20000])
def test_picture_and_sound_come_back_and_last_equally_long(ffmpeg, tmp_path, rate):
    clips = [
        clip(tmp_path, "a" * number, rate, 0.31, flat(60 * number, 33, 65), trimmed=0.07 * number) for number in (1, 2)
    ]
    write_video(tmp_path / "film.mp4", clips, rate, ffmpeg)
    sound = np.concatenate([soundfile.read(each.wav, dtype="float32")[0] for each in clips])
    seconds = len(sound) / rate
    pictures = np.frombuffer(decoded(tmp_path / "film.mp4", "-map", "0:v", "-pix_fmt", "rgb24", "-f", "rawvideo"), "u1")
    height, width = 33 * 15, 65 * 10
    size = (height // 2 * 2 + CAPTION, width // 2 * 2)
    pictures = pictures.reshape(-1, *size, 3)
    assert abs(len(pictures) / FPS - seconds) <= FRAME / 2
    heard = np.frombuffer(decoded(tmp_path / "film.mp4", "-map", "0:a", "-ar", str(rate), "-f", "f32le"), "<f4")
    heard = heard.reshape(-1, 2)
    assert abs(len(heard) / rate - len(pictures) / FPS) <= FRAME + 1024 / rate  # AAC comes in blocks of 1024
    lag, correlation = aligned(sound.mean(axis=1), heard.mean(axis=1))
    assert correlation > 0.95
    assert abs(lag) / rate < FRAME / 2
    lit = pictures[:, size[0] // 4, 4].mean(
        axis=-1
    )  # at the left edge, behind the playhead but in a clip's first frame
    switch = round(0.24 * FPS)
    assert np.abs(lit[1 : switch - 1] - 60).max() < 6
    assert np.abs(lit[switch + 2 :] - 120).max() < 6


def aligned(one: np.ndarray, other: np.ndarray) -> tuple[int, float]:
    """Return the lag at which two sounds agree best, and their correlation there."""
    size = 2 * max(len(one), len(other))
    cross = np.fft.irfft(np.conj(np.fft.rfft(one, size)) * np.fft.rfft(other, size), size)
    best = int(np.argmax(cross))
    return (best if best < size // 2 else best - size), float(cross[best] / np.sqrt((one**2).sum() * (other**2).sum()))


def test_the_playhead_stands_where_the_sound_is(tmp_path):
    rate = 9000
    clips = [clip(tmp_path, "a" * number, rate, 0.5, flat(200), trimmed=0.1) for number in (1, 2)]
    ends = np.array([3600, 7200])
    shown = list(frames(clips, ends, rate))
    assert len(shown) == 24  # 0.8 s
    for number, frame in enumerate(shown):
        row = frame[10, :, 0].astype(int)
        played = (np.nonzero(row == 200)[0].max(initial=-1) + 1) / len(row)
        assert played == pytest.approx((number % 12 + 0.5) * 300 / 4500, abs=2 * 2 / len(row))


def test_sounds_shorter_than_a_frame_pass_without_one(tmp_path):
    clips = [clip(tmp_path, "a" * number, 3000, 0.01, flat(9)) for number in range(1, 11)]
    ends = np.cumsum([30] * 10)
    assert len(list(frames(clips, ends, 3000))) == 3


@pytest.mark.parametrize(("height", "width"), [(1, 3), (33, 65), (1200, 2001), (1024, 128)])
def test_frames_have_even_sides_fit_for_a_screen(tmp_path, height, width):
    frame = next(frames([clip(tmp_path, "a", 3000, 0.1, flat(9, height, width))], np.array([300]), 3000))
    assert frame.shape[0] % 2 == frame.shape[1] % 2 == 0
    assert 480 <= frame.shape[0] <= 1080 + CAPTION
    assert 640 <= frame.shape[1] <= 1920


def test_sounds_above_full_scale_are_lowered_by_one_factor_and_not_clipped(ffmpeg, tmp_path):
    clips, rate = [clip(tmp_path, "a" * number, 8000, 0.3, flat(9)) for number in (1, 2)], 8000
    loud = soundfile.read(clips[0].wav, dtype="float32", always_2d=True)[0].T * 4
    write_wav(clips[0].wav, loud, rate, subtype="FLOAT")
    write_video(tmp_path / "film.mp4", clips, rate, ffmpeg)
    heard = np.frombuffer(decoded(tmp_path / "film.mp4", "-map", "0:a", "-f", "f32le"), "<f4").reshape(-1, 2)
    sound = np.concatenate([soundfile.read(each.wav, dtype="float32")[0] for each in clips])
    size = min(len(sound), len(heard))
    gain = (sound[:size] * heard[:size]).sum() / (sound[:size] ** 2).sum()
    assert gain == pytest.approx(1 / np.abs(loud).max(), rel=0.1)
    assert aligned(sound.mean(axis=1), heard.mean(axis=1))[1] > 0.95


def test_equal_sounds_give_equal_files(ffmpeg, tmp_path):
    clips = [clip(tmp_path, "a", 8000, 0.2, flat(90))]
    for name in ("one.mp4", "two.mp4"):
        write_video(tmp_path / name, clips, 8000, ffmpeg)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def stand_in(folder: Path, script: str) -> str:
    path = folder / "ffmpeg-stand-in"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [("echo it broke >&2; exit 1", UserError, "it broke"),
     ("cat >/dev/null; exit 1", UserError, "without a word"),
     ("echo 'film.mp4: No space left on device' >&2; exit 1", OSError, "No space left")],
)  # fmt: skip
def test_an_ffmpeg_that_fails_leaves_nothing_and_says_why(tmp_path, script, error, words):
    clips, out = [clip(tmp_path, "a", 8000, 0.4, flat(90))], tmp_path / "out"
    out.mkdir()
    (out / "film.mp4").write_text("the one before")
    with pytest.raises(error, match=words):
        write_video(out / "film.mp4", clips, 8000, stand_in(tmp_path, script))
    assert [path.name for path in out.iterdir()] == ["film.mp4"]
    assert (out / "film.mp4").read_text() == "the one before"


def test_the_pictures_are_the_pngs_own(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (16, 32, 3), np.uint8)
    last = list(frames([clip(tmp_path, "a", 3000, 1.0, picture)], np.array([3000]), 3000))[-1]
    grown = np.asarray(Image.fromarray(picture).resize((640, 480), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(last[:480, :600], grown[:, :600])
