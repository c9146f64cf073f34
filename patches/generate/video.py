# SPDX-License-Identifier: Apache-2.0
"""An mp4 of sounds in a row: each sound's picture while it plays, a playhead moving over it.

Frame i stands for the time (i + 1/2) / 30 s: it shows the sound that plays then, lit up to the sample that plays. The
number of frames is the sound's duration in frames, rounded: picture and sound end within half a frame of each other.
H.264 in yuv420p and AAC, which every player knows; the lossless sounds are the wavs. Where some of them (of subtype
FLOAT) go over full scale, all are lowered by one factor, for AAC would clip them.
ffmpeg comes inside the package imageio-ffmpeg, which is asked for only here.
"""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import IO, cast

import numpy as np
import soundfile
from PIL import Image, ImageDraw, ImageFont

from patches.errors import UserError
from patches.generate.table import INK, PAPER
from spect.files import sync_folder

FPS = 30
SMALLEST, LARGEST = (640, 480), (1920, 1080)  # a picture's width and height on the screen, pixels
CAPTION = 32  # pixels below it
DIMMED = 0.45  # what the playhead hasn't reached yet
AUDIO_BITRATE = "256k"


@dataclass(frozen=True)
class Clip:
    """One sound and its picture; `samples` is how many the whole picture stands for (a trimmed sound has fewer)."""

    wav: Path
    png: Path
    samples: int


def find_ffmpeg() -> str:
    """Return the path of ffmpeg.

    Raises:
        UserError: imageio-ffmpeg isn't installed, or brings no ffmpeg for this machine.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except ImportError as error:
        reason = "not installed; run: pip install imageio-ffmpeg"
        raise UserError(f"--video: needs imageio-ffmpeg, which is {reason} (or leave --video away)") from error
    except RuntimeError as error:
        reason = "has no ffmpeg for this machine; install ffmpeg, or name it in IMAGEIO_FFMPEG_EXE"
        raise UserError(f"--video: imageio-ffmpeg {reason}") from error


def write_video(path: Path, clips: Sequence[Clip], sample_rate: int, ffmpeg: str) -> None:
    """Write clips, one after the other, as an mp4 with their sound; whole or not at all.

    Raises:
        UserError: ffmpeg fails; its own last line is told.
    """
    with tempfile.TemporaryDirectory(prefix=f".{path.stem[:100]}.", dir=path.parent) as folder:
        sound, film = Path(folder, "sound.w64"), Path(folder, "film.mp4")  # w64: no limit of 4 GiB
        ends, peak = _join(clips, sound, sample_rate)
        shown = frames(clips, ends, sample_rate)
        first = next(shown)
        _encode(_command(ffmpeg, first, sound, 1 / max(peak, 1.0), film), chain([first], shown), film)
        with film.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(film, path)
    sync_folder(path.parent)


def _join(clips: Sequence[Clip], target: Path, sample_rate: int) -> tuple[np.ndarray, float]:
    """Write all sounds in a row and return where each ends, in samples, and the largest peak."""
    lengths, peak = [], 0.0
    with soundfile.SoundFile(target, "w", sample_rate, channels=2, format="W64", subtype="FLOAT") as file:
        for clip in clips:
            sound = soundfile.read(clip.wav, dtype="float32", always_2d=True)[0]
            file.write(sound)
            lengths.append(len(sound))
            peak = max(peak, float(np.abs(sound).max(initial=0)))
    return np.cumsum(lengths), peak


def frames(clips: Sequence[Clip], ends: np.ndarray, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield the video's frames. Shape: uint8 [H, W, 3], H and W even."""
    count = max(round(int(ends[-1]) * FPS / sample_rate), 1)
    samples = np.minimum(((np.arange(count) + 0.5) * sample_rate / FPS).astype(np.int64), ends[-1] - 1)
    firsts = np.searchsorted(samples, [0, *ends])  # a clip's first frame; a very short clip may have none
    for clip, start, (first, last) in zip(clips, [0, *ends[:-1]], pairwise(firsts), strict=True):
        if first < last:
            yield from _play(clip, (samples[first:last] - start) / clip.samples)


def _play(clip: Clip, positions: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a clip's frames, the playhead at fractions of its width."""
    picture = _scaled(clip.png)
    page = np.concatenate([picture, _caption(clip.wav.stem, picture.shape[1])])
    dim = (picture * DIMMED).astype(np.uint8)
    height, width, _ = picture.shape
    stroke = max(width // 320, 1)
    for position in positions:
        x = min(int(position * width), width - 1)
        frame = page.copy()
        frame[:height, x:] = dim[:, x:]
        frame[:height, max(x - stroke, 0) : x + stroke] = INK
        yield frame


def _scaled(png: Path) -> np.ndarray:
    """Bring a picture to a size for the screen: whole pixels where it grows, even sides. Shape: uint8 [H, W, 3]."""
    with Image.open(png) as file:
        image = file.convert("RGB")
    grown = [side * max(-(-small // side), 1) for side, small in zip(image.size, SMALLEST, strict=True)]
    width, height = (min(side, large) // 2 * 2 for side, large in zip(grown, LARGEST, strict=True))
    way = Image.Resampling.NEAREST if width >= image.width and height >= image.height else Image.Resampling.BOX
    return np.asarray(image.resize((width, height), way))


def _caption(text: str, width: int) -> np.ndarray:
    strip = Image.new("RGB", (width, CAPTION), PAPER)
    font = ImageFont.load_default(size=CAPTION // 2)
    ImageDraw.Draw(strip).text((width // 2, CAPTION // 2), text, fill=INK, font=font, anchor="mm")
    return np.asarray(strip)


def _command(ffmpeg: str, frame: np.ndarray, sound: Path, gain: float, film: Path) -> list[str]:
    height, width, _ = frame.shape
    return [
        ffmpeg, "-nostdin", "-loglevel", "error", "-y",
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FPS), "-i", "pipe:0",
        "-i", str(sound), "-map", "0:v:0", "-map", "1:a:0",
        "-vf", "scale=out_color_matrix=bt709:out_range=tv",
        "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p",
        "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
        "-af", f"volume={gain:.9f}:precision=double", "-c:a", "aac", "-b:a", AUDIO_BITRATE,
        "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",  # no versions: equal files
        "-movflags", "+faststart", "-f", "mp4", str(film),
    ]  # fmt: skip


def _encode(command: list[str], shown: Iterable[np.ndarray], film: Path) -> None:
    """Hand frames to ffmpeg; it is killed where they end in an error or a signal."""
    with tempfile.TemporaryFile(dir=film.parent) as log:
        # A process group of its own: a Ctrl-C is ours to handle.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, process_group=0)
        pipe = cast(IO[bytes], process.stdin)
        try:
            _feed(pipe, shown)
            process.wait()
        finally:
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                pipe.close()
        if process.returncode:
            raise _failure(log, film)


def _feed(pipe: IO[bytes], shown: Iterable[np.ndarray]) -> None:
    """Write frames; an ffmpeg that ended too early says why by itself."""
    with suppress(BrokenPipeError):
        for frame in shown:
            pipe.write(frame.tobytes())
        pipe.close()


def _failure(log: IO[bytes], film: Path) -> Exception:
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").strip().splitlines() or ["without a word"]
    if any(os.strerror(errno.ENOSPC) in line for line in lines):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(film.parent.parent))
    return UserError(f"--video: ffmpeg failed: {lines[0]}")
