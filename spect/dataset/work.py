# SPDX-License-Identifier: Apache-2.0
"""One job of the build, in whichever process: read, resample, prepare, transform, measure, hash and write in place.

What an interrupted build has made is read back and measured instead, if its hashes are right.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spect import audio
from spect.archive.layout import Layout
from spect.archive.writer import checksums, put, read_back
from spect.beats.stretch import clip
from spect.dataset.options import Preparation
from spect.dataset.picture import frames_of, powers, transform
from spect.dataset.plan import Cut, Piece, length_of
from spect.dataset.reading import read
from spect.dataset.scan import SILENT, reason_of
from spect.dataset.sources import Source
from spect.dataset.statistics import Measured, measured
from spect.errors import SoundError

STAGES = ("check of kept ones", "read", "resample", "stretch", "transform", "statistics", "hash", "write")


@dataclass
class Made:
    """What came of a piece: a record, checksum and figures for each canvas, or the reason why there is none.

    Args:
        kept: an earlier build has made its pictures.
    """

    piece: Piece
    reason: str | None = None
    kept: bool = False
    crcs: list[int] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


@dataclass(frozen=True)
class Job:
    """What is the same for all pieces of a build.

    Args:
        pictures: the file that has every picture at its place.
        apart: a folder where each piece gets a file of its own instead, which is then joined to `pictures`: for workers
            on several machines, whose writes into one file could undo each other's.
    """

    source: Source
    preparation: Preparation
    pictures: Path
    apart: Path | None = None

    @cached_property
    def layout(self) -> Layout:
        """Where pictures stand."""
        return Layout(self.preparation.representation.rows, self.preparation.representation.frames)


@dataclass(frozen=True)
class Earlier:
    """What an earlier build told of a piece's pictures."""

    crcs: list[int]
    records: list[dict[str, Any]]


def part_of(apart: Path, piece: Piece) -> Path:
    """Name the file of a piece that is written apart."""
    return apart / f"{piece.first:08d}.part"


def make(job: Job, wanted: tuple[Piece, Earlier | None]) -> Made:
    """Make the canvases of a piece and write them at their places, unless they are there already."""
    piece, earlier = wanted
    kept = None if earlier is None else _kept(job, piece, earlier)
    if kept is not None:
        return kept
    made = Made(piece)
    try:
        sound = _sound(job, piece, made)
    except (SoundError, OSError) as error:
        made.reason = f"changed since the scan: {reason_of(SoundError(str(error)), job.source, piece.facts.name)}"
        return made
    with _opened(job, piece) as (descriptor, begin):
        for number, cut in enumerate(piece.cuts):
            picture = _picture(job, made, cut, _part(job, made, cut, sound))
            _write(descriptor, job.layout, made, piece.first + number, picture, begin)
    return made


def _kept(job: Job, piece: Piece, earlier: Earlier) -> Made | None:
    """Read a piece's pictures back; None where one isn't what was told of it."""
    made = Made(piece, kept=True, crcs=earlier.crcs, records=earlier.records)
    with _timed(made, "check of kept ones"), open(job.pictures, "rb", buffering=0) as file:
        for number, (cut, crc, record) in enumerate(zip(piece.cuts, earlier.crcs, earlier.records, strict=True)):
            picture = read_back(file.fileno(), job.layout, piece.first + number, crc, record["sha256"])
            if picture is None:
                return None
            made.measured.append(_measured(job, cut, picture))
    return made


def _measured(job: Job, cut: Cut, picture: np.ndarray) -> Measured:
    return measured(*powers(picture, frames_of(cut.length, job.preparation.representation)))


@contextmanager
def _opened(job: Job, piece: Piece) -> Iterator[tuple[int, int]]:
    """Open the file to write a piece into; its descriptor, and where in the archive it begins."""
    if job.apart is None:
        descriptor = os.open(job.pictures, os.O_WRONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # a build that takes the file over waits until this is done
            yield descriptor, 0
        finally:
            os.close(descriptor)
        return
    part = part_of(job.apart, piece)
    partial = part.with_name(f"{part.name}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        yield descriptor, job.layout.header_offset(piece.first)
        os.replace(partial, part)
    finally:
        os.close(descriptor)
        partial.unlink(missing_ok=True)


def _sound(job: Job, piece: Piece, made: Made) -> np.ndarray:
    preparation, facts = job.preparation, piece.facts
    with _timed(made, "read"):
        opened = job.source.open(facts.name)
        sound, rate = read(opened, piece.begin, piece.frames, downmix=preparation.downmix)
    if rate != facts.rate or sound.shape[1] != piece.frames:
        raise SoundError(f"{sound.shape[1]} frames at {rate} Hz where {piece.frames} at {facts.rate} Hz were")
    with _timed(made, "resample"):
        return audio.resample(sound, rate, preparation.representation.sample_rate, preparation.resampler)


def _part(job: Job, made: Made, cut: Cut, sound: np.ndarray) -> np.ndarray:
    """Cut a canvas's sound out of the piece's; a clip is stretched."""
    start = cut.start - made.piece.origin
    if cut.clip is None:
        return sound[:, start : start + cut.length]
    with _timed(made, "stretch"):
        return clip(sound, job.preparation.representation.sample_rate, start, cut.clip.ratio, cut.length)


def _picture(job: Job, made: Made, cut: Cut, sound: np.ndarray) -> np.ndarray:
    with _timed(made, "transform"):
        prepared, done = prepare(sound, made.piece, cut, job.preparation)
        picture = transform(prepared, job.preparation.representation)
    with _timed(made, "statistics"):
        made.measured.append(_measured(job, cut, picture))
    made.records.append(_record(made.piece, cut, done))
    return picture


def _write(descriptor: int, layout: Layout, made: Made, index: int, picture: np.ndarray, begin: int) -> None:
    with _timed(made, "hash"):
        crc, made.records[-1]["sha256"] = checksums(layout, picture)
    with _timed(made, "write"):
        put(descriptor, layout, index, picture, crc, begin)
    made.crcs.append(crc)


def prepare(sound: np.ndarray, piece: Piece, cut: Cut, preparation: Preparation) -> tuple[np.ndarray, dict[str, Any]]:
    """Give a sound the level and the fade that were asked for, and tell what was done.

    Shape: [1 or 2, L] -> same.
    """
    done: dict[str, Any] = {}
    if preparation.peak_db is not None:
        peak = _peak(sound, piece, cut, preparation)
        gain = 10 ** (preparation.peak_db / 20) / peak if peak > 0 else 1.0
        sound = sound * np.float32(gain)
        done["gain_db"] = round(20 * float(np.log10(gain)), 3)
    length = sound.shape[1]
    fade = min(length, round(preparation.fade_out_ms * preparation.representation.sample_rate / 1000))
    if fade:
        ramp = np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
        sound = np.concatenate([sound[:, : length - fade], sound[:, length - fade :] * ramp.astype(np.float32)], axis=1)
        done["fade_out_samples"] = fade
    return sound, done


def _peak(sound: np.ndarray, piece: Piece, cut: Cut, preparation: Preparation) -> float:
    """Give the peak that --peak brings to its level: the whole file's.

    A file that goes in whole is measured as it is now, resampled. Of one that is cut, the scan's figure: its canvases
    keep their levels among each other, and a near-silent one isn't raised to full scale.
    """
    whole = not preparation.slice and cut.length == length_of(piece.facts, preparation)
    own = float(np.abs(sound).max()) if whole else 0.0
    return own if own >= SILENT else piece.facts.peak


def _record(piece: Piece, cut: Cut, done: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": piece.facts.name,
        "start_samples": piece.trimmed + cut.start,
        "samples": cut.length,
        "split": "holdout" if piece.holdout else "train",
        "sample_rate": piece.facts.rate,
        "channels": piece.facts.channels,
        **({"trimmed_samples": piece.trimmed} if piece.trimmed else {}),
        **(cut.clip.to_dict() if cut.clip is not None else {}),
        **done,
    }


@contextmanager
def _timed(made: Made, stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    made.seconds[stage] += time.perf_counter() - start
