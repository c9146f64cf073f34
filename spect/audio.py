# SPDX-License-Identifier: Apache-2.0
"""Sounds in: whatever libsndfile reads, as float32 [channels, L], at its own rate and its own level.

Nothing is clipped, re-centred or normalised. Integer formats are divided by their full scale, so that PCM lies in
[-1, 1); float files keep what they hold, values beyond full scale included.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import soundfile
import soxr

from spect.errors import SoundError

READABLE = "wav, aiff, flac, ogg, mp3, caf, w64 and au go in"
_MP3_FRAME = 1152  # an mp3's last frame may be missing without harm
_UNKNOWN_FRAMES = 1 << 60  # libsndfile's answer where a header leaves the length open
_SHORTER = re.compile(r"^\s*(?:data|Data Size|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.M)
_DS64 = re.compile(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)")
_W64 = re.compile(r"\A\s*Length : (\d+)\s+riff : .*?^data : (\d+)", re.M | re.S)

# ITU-R BS.775-3, table 2, in WAVE order (FL FR FC LFE BL BR SL SR; LFE stays out): weights of the left channel.
_C = 0.5**0.5
_LEFT_WEIGHTS = {3: (1, 0, _C), 4: (1, 0, _C, 0), 5: (1, 0, _C, _C, 0), 6: (1, 0, _C, 0, _C, 0)}
_LEFT_WEIGHTS[8] = (*_LEFT_WEIGHTS[6], _C, 0)
_RIGHT_ORDER = {3: (1, 0, 2), 4: (1, 0, 3, 2), 5: (1, 0, 2, 4, 3), 6: (1, 0, 2, 3, 5, 4)}
_RIGHT_ORDER[8] = (*_RIGHT_ORDER[6], 7, 6)


@dataclass(frozen=True)
class SoundInfo:
    """What a header says. `format` and `subtype` are libsndfile's names (WAV, FLAC; PCM_24, VORBIS)."""

    sample_rate: int
    channels: int
    frames: int
    format: str
    subtype: str


def probe(source: str | Path | BinaryIO) -> SoundInfo:
    """Read a sound's header, and hold the length it promises against the file's.

    Raises:
        SoundError: not a sound, zero length, truncated.
    """
    with _opened(source) as file:
        return SoundInfo(file.samplerate, file.channels, file.frames, file.format, file.subtype)


def read(
    source: str | Path | BinaryIO, *, downmix: bool = False, start: int = 0, frames: int = -1
) -> tuple[np.ndarray, int]:
    """Read a sound, or `frames` frames of it from `start` (fewer where it ends before; -1: all).

    Args:
        downmix: mix more than two channels down (`mix_down`) instead of refusing them.

    Returns:
        float32 [1 or 2, L], contiguous, and the sample rate in Hz.

    Raises:
        SoundError: not a sound, zero length, truncated or damaged, NaN or Inf, more than two channels.
    """
    name = name_of(source)
    with _opened(source) as file:
        if file.channels > 2 and not downmix:
            raise SoundError(f"{name}: {file.channels} channels; mono and stereo go in, more only with --downmix")
        if not 0 <= start < file.frames:
            raise SoundError(f"{name}: start {start} lies outside its {file.frames} frames")
        wanted = file.frames - start if frames < 0 else min(frames, file.frames - start)
        data = _read_frames(file, start, wanted, name)
        rate = file.samplerate
    if not np.isfinite(data).all():
        first = start + int(np.argmin(np.isfinite(data).all(axis=1)))
        raise SoundError(f"{name}: holds NaN or Inf (first in frame {first})")
    sound = np.ascontiguousarray(data.T)
    return (mix_down(sound) if sound.shape[0] > 2 else sound), rate


def resample(sound: np.ndarray, from_rate: int, to_rate: int, method: Literal["soxr", "linear"] = "soxr") -> np.ndarray:
    """Bring a sound to another sample rate.

    Args:
        method: soxr at its best quality (VHQ), or the seed paper's linear interpolation (numpy.interp, section 3),
            which aliases: for comparison.

    Shape: [channels, L] -> [channels, round(L * to_rate / from_rate)], at least one sample for a sound that has one.
    """
    if from_rate <= 0 or to_rate <= 0:
        raise SoundError(f"sample rates are positive, got {from_rate} and {to_rate} Hz")
    if from_rate == to_rate or sound.shape[1] == 0:
        return sound
    length = max(round(sound.shape[1] * to_rate / from_rate), min(sound.shape[1], 1))
    if method == "linear":
        times = np.arange(length) * (from_rate / to_rate)
        rows = [np.interp(times, np.arange(channel.size), channel) for channel in sound]
        return np.asarray(rows, dtype=np.float32)
    if method != "soxr":
        raise SoundError(f"resampler {method!r}: soxr and linear are there")
    out = soxr.resample(np.ascontiguousarray(sound.T, dtype=np.float32), from_rate, to_rate, quality="VHQ").T
    fitted = np.zeros((sound.shape[0], length), dtype=np.float32)
    fitted[:, : out.shape[1]] = out[:, :length]
    return fitted


def to_stereo(sound: np.ndarray) -> np.ndarray:
    """Return two channels: mono twice, so that its side is 0 exactly.

    Shape: [1 or 2, L] -> [2, L].
    """
    if sound.ndim != 2 or sound.shape[0] not in (1, 2):
        raise SoundError(f"a sound is [1 or 2, L], got {list(sound.shape)}")
    return np.repeat(sound, 2, axis=0) if sound.shape[0] == 1 else sound


def mix_down(sound: np.ndarray) -> np.ndarray:
    """Mix more than two channels down without exceeding full scale.

    3, 4, 5, 6 and 8 channels are taken for front and surround in WAVE order and become stereo (ITU-R BS.775,
    divided by the sum of its weights; LFE stays out); any other number becomes its mean, mono.

    Shape: [channels, L] -> [1 or 2, L].
    """
    channels = sound.shape[0]
    if channels not in _LEFT_WEIGHTS:
        return sound.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    left = np.asarray(_LEFT_WEIGHTS[channels], dtype=np.float64)
    weights = np.stack([left, left[list(_RIGHT_ORDER[channels])]]) / left.sum()
    return (weights @ sound).astype(np.float32)


def name_of(source: str | Path | BinaryIO) -> str:
    """Return the name to show for a source: the path, a file object's own name, or 'sound'."""
    if isinstance(source, str | Path):
        return str(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "sound"


@contextlib.contextmanager
def _opened(source: str | Path | BinaryIO) -> Iterator[soundfile.SoundFile]:
    """Open by descriptor or object, so that no file name makes libsndfile guess a headerless format."""
    name = name_of(source)
    try:
        if isinstance(source, str | Path):
            if Path(source).is_dir():
                raise SoundError(f"{name}: is a folder, not a sound")
            file = soundfile.SoundFile(os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0)))
        else:
            file = soundfile.SoundFile(_Nameless(source))
    except OSError as error:
        raise SoundError(f"{name}: can't be opened ({error.strerror or error})") from error
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise SoundError(f"{name}: {_refusal(source, error)}") from error
    with file:
        _check_length(file, name)
        yield file


class _Nameless:
    """A file object without its name (soundfile reads a format out of it, libsndfile need not)."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self.seek, self.read, self.tell = file.seek, file.read, file.tell

    def write(self, data: bytes) -> int:
        raise OSError("opened for reading")


def _refusal(source: str | Path | BinaryIO, error: Exception) -> str:
    if _byte_count(source) == 0:
        return "zero length (an empty file)"
    reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
    if "malformed" in reason:
        return f"damaged or truncated ({reason})"
    return f"not a sound that libsndfile reads ({reason}); {READABLE}"


def _byte_count(source: str | Path | BinaryIO) -> int:
    return Path(source).stat().st_size if isinstance(source, str | Path) else source.seek(0, os.SEEK_END)


def _check_length(file: soundfile.SoundFile, name: str) -> None:
    """Hold what the header promises against what is there; libsndfile only writes the difference into its log."""
    promise = _broken_promise(file.extra_info)
    if promise is not None:
        raise SoundError(f"{name}: truncated ({promise})")
    if file.frames == 0:
        raise SoundError(f"{name}: zero length (a header without sound)")
    if file.frames >= _UNKNOWN_FRAMES:
        raise SoundError(f"{name}: its header doesn't tell its length; write it again with flac or sox")


def _broken_promise(log: str) -> str | None:
    """Return what is missing, in words, by libsndfile's log; None where nothing is."""
    if found := _SHORTER.search(log):
        promised, there = int(found[1]), int(found[2])
        # Streams carry a placeholder of 2 or 4 GiB less a little.
        streamed = 0x7FFFF000 <= promised <= 0x7FFFFFFF or promised >= 0xFFFFF000
        if promised > there and not streamed:
            return f"its header promises {promised} bytes of sound, {max(there, 0)} are there"
    if (found := _DS64.search(log)) and int(found[2]) > int(found[1]):
        return f"its header promises {found[2]} frames, {found[1]} are there"
    if (found := _W64.search(log)) and int(found[2]) > int(found[1]):
        return f"its header promises {found[2]} bytes of sound, the file has {found[1]}"
    if "Last page lacks an end-of-stream bit" in log and "Junk after the last page" in log:
        return "its last Ogg page is incomplete"
    return None


def _read_frames(file: soundfile.SoundFile, start: int, wanted: int, name: str) -> np.ndarray:
    try:
        if start:
            file.seek(start)
        data = file.read(wanted, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
        raise SoundError(f"{name}: damaged or truncated ({reason})") from error
    missing = wanted - len(data)
    if missing > (_MP3_FRAME if file.subtype == "MPEG_LAYER_III" else 0) or len(data) == 0:
        raise SoundError(f"{name}: truncated (its header promises {file.frames} frames, {start + len(data)} are there)")
    return data
