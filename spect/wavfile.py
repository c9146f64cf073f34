# SPDX-License-Identifier: Apache-2.0
"""Sounds out: wav files with tags, written whole or not at all, never clipped in silence.

RIFF (Microsoft 1991): chunks of four letters, a 32-bit length and bytes padded to an even count. LIST/INFO holds text
tags; it stands after the sound, which so begins at byte 44 in PCM files, where simple players expect it.
PCM codes are x * 2^(bits - 1), rounded: reading a 16- or 24-bit file and writing it again gives the same samples. The
one value without a code, x = 1 exactly, takes the largest one.
`acid` tells samplers the tempo (Sonic Foundry's chunk, as libsndfile reads it): flags, root note, 0x8000, 0.0, beats,
denominator and numerator of the meter, tempo: 24 bytes, little-endian.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from spect.errors import SoundError
from spect.files import whole_file

Subtype = Literal["PCM_24", "PCM_16", "FLOAT"]
_BITS = {"PCM_24": 24, "PCM_16": 16, "FLOAT": 32}
# The tags that libsndfile names; any other four letters go in as they are.
TAGS = {
    "title": "INAM", "artist": "IART", "comment": "ICMT", "software": "ISFT", "date": "ICRD", "copyright": "ICOP",
    "album": "IPRD", "genre": "IGNR", "tracknumber": "ITRK",
}  # fmt: skip
_NAMES = {identifier: name for name, identifier in TAGS.items()}
_LONGEST_TAG = 2000  # libsndfile leaves out tags of 2 048 bytes and more: longer ones go into several of one name
_LARGEST_FILE = 2**32 - 1 - 65536
_ONE_SHOT, _ROOT_VALID, _STRETCH = 1, 2, 4  # flags of acid
_NO_ROOT = 60  # middle C, the note that writers put where it means nothing


@dataclass(frozen=True)
class Acid:
    """What the `acid` chunk says of a sound in 4/4.

    Args:
        bpm: tempo, in quarter notes a minute.
        beats: how many the sound lasts, to the nearest whole one.
        loop: the sound lasts so many beats exactly, so that samplers stretch it to their song; otherwise it is played
            as it is, and its tempo only told.
        root: its note (60 is middle C), or None.
    """

    bpm: float
    beats: int
    loop: bool = True
    root: int | None = None

    def to_bytes(self) -> bytes:
        """Give the chunk's 24 bytes."""
        flags = (_STRETCH if self.loop else _ONE_SHOT) | (0 if self.root is None else _ROOT_VALID)
        root = _NO_ROOT if self.root is None else self.root
        return struct.pack("<IHHfIHHf", flags, root, 0x8000, 0.0, self.beats, 4, 4, self.bpm)


def write_wav(
    path: str | Path,
    sound: np.ndarray,
    sample_rate: int,
    *,
    subtype: Subtype = "PCM_24",
    info: Mapping[str, str] | None = None,
    acid: Acid | None = None,
) -> None:
    """Write a wav file, whole or not at all.

    Args:
        sound: float32 [channels, L], in [-1, 1] for the PCM subtypes.
        info: text tags by libsndfile's name (`TAGS`: title, comment, software, ...) or by four letters of RIFF's.
        acid: its tempo.

    Raises:
        SoundError: NaN or Inf, a sample above full scale in a PCM subtype, another shape, a bad tag.
    """
    if subtype not in _BITS:
        raise SoundError(f"subtype {subtype!r}: {', '.join(_BITS)} are there")
    samples = _checked(np.asarray(sound), subtype, Path(path).name)
    chunks = [(b"fmt ", _format_chunk(samples.shape[0], sample_rate, subtype))]
    if subtype == "FLOAT":
        chunks.append((b"fact", struct.pack("<I", samples.shape[1])))
    chunks.append((b"data", _codes(samples, subtype)))
    if acid is not None:
        chunks.append((b"acid", acid.to_bytes()))
    if info:
        chunks.append((b"LIST", b"INFO" + b"".join(_tag_chunks(info))))
    size = 4 + sum(8 + len(data) + len(data) % 2 for _, data in chunks)
    if size > _LARGEST_FILE:
        raise SoundError(f"{path}: {size} bytes are more than a wav file holds (4 GiB); write it in parts")
    with whole_file(path) as file:
        file.write(b"RIFF" + struct.pack("<I", size) + b"WAVE")
        for identifier, data in chunks:
            file.write(_chunk(identifier, data))


def read_info(path: str | Path) -> dict[str, str]:
    """Read the LIST/INFO tags of a wav file, by libsndfile's names where it has one. No tags: an empty dict.

    Raises:
        SoundError: not a RIFF wav file.
    """
    tags: dict[str, bytes] = {}
    for identifier, data in _info_chunks(Path(path)):
        name = _NAMES.get(identifier, identifier)
        tags[name] = tags.get(name, b"") + data.split(b"\0", 1)[0]
    return {name: value.decode("utf-8", "replace") for name, value in tags.items()}


def _checked(sound: np.ndarray, subtype: str, name: str) -> np.ndarray:
    if sound.ndim != 2 or not 1 <= sound.shape[0] <= 65535 or sound.shape[1] == 0:
        raise SoundError(f"{name}: a sound is [channels, L], got {list(sound.shape)}")
    if not np.isfinite(sound).all():
        raise SoundError(f"{name}: the sound holds NaN or Inf; nothing was written")
    peak = float(np.abs(sound).max())
    if subtype != "FLOAT" and peak > 1:
        raise SoundError(f"{name}: peak {peak:.4g} is above full scale; lower the level, or use --subtype=FLOAT")
    return sound


def _codes(sound: np.ndarray, subtype: str) -> bytes:
    """Interleave the channels and turn samples into little-endian bytes."""
    frames = np.ascontiguousarray(sound.T)
    if subtype == "FLOAT":
        return frames.astype("<f4").tobytes()
    bits = _BITS[subtype]
    scaled = np.rint(frames.astype(np.float64) * 2 ** (bits - 1))
    codes = np.minimum(scaled, 2 ** (bits - 1) - 1).astype("<i4")
    return np.ascontiguousarray(codes.view(np.uint8).reshape(-1, 4)[:, : bits // 8]).tobytes()


def _format_chunk(channels: int, sample_rate: int, subtype: str) -> bytes:
    """PCM (1) or IEEE float (3); the latter with an empty extension, as its standard asks."""
    width = _BITS[subtype] // 8
    tag = 3 if subtype == "FLOAT" else 1
    head = struct.pack(
        "<HHIIHH", tag, channels, sample_rate, sample_rate * channels * width, channels * width, 8 * width
    )
    return head + (struct.pack("<H", 0) if subtype == "FLOAT" else b"")


def _chunk(identifier: bytes, data: bytes) -> bytes:
    return identifier + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _tag_chunks(info: Mapping[str, str]) -> Iterable[bytes]:
    for name, value in info.items():
        identifier = TAGS.get(name, name)
        if len(identifier) != 4 or not all(" " <= letter <= "~" for letter in identifier):
            raise SoundError(f"tag {name!r}: {', '.join(TAGS)}, or four ASCII letters")
        if "\0" in value:
            raise SoundError(f"tag {name!r}: a NUL would end its text")
        for piece in _pieces(value.encode()):
            yield _chunk(identifier.encode(), piece + b"\0")


def _pieces(value: bytes) -> Iterable[bytes]:
    """Cut bytes of UTF-8 into pieces that libsndfile reads, never inside a letter."""
    while len(value) > _LONGEST_TAG:
        end = _LONGEST_TAG
        while value[end] & 0xC0 == 0x80:  # a continuation byte
            end -= 1
        yield value[:end]
        value = value[end:]
    yield value


def _info_chunks(path: Path) -> Iterable[tuple[str, bytes]]:
    """Walk over a RIFF file's chunks and yield those inside LIST/INFO."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            raise SoundError(f"{path}: not a wav file")
        while len(header := file.read(8)) == 8:
            identifier, size = header[:4], int.from_bytes(header[4:], "little")
            if identifier != b"LIST":
                file.seek(size + size % 2, 1)
                continue
            body = file.read(size + size % 2)[:size]
            if body[:4] == b"INFO":
                yield from _walk(body[4:])


def _walk(body: bytes) -> Iterable[tuple[str, bytes]]:
    while len(body) >= 8:
        size = int.from_bytes(body[4:8], "little")
        yield body[:4].decode("latin-1"), body[8 : 8 + size]
        body = body[8 + size + size % 2 :]
