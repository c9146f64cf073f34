# SPDX-License-Identifier: Apache-2.0
"""One job of the build, in whichever process: read, resample, prepare, transform, measure, hash and write in place."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spect import audio
from spect.archive.layout import Layout
from spect.archive.writer import checksums, put
from spect.beats.stretch import clip
from spect.dataset.options import Preparation
from spect.dataset.picture import transform
from spect.dataset.plan import Cut, Piece, length_of
from spect.dataset.reading import read
from spect.dataset.scan import SILENT, reason_of
from spect.dataset.sources import Source
from spect.dataset.statistics import Measured, measured
from spect.errors import SoundError

STAGES = ("read", "resample", "stretch", "transform and statistics", "hash", "write")


@dataclass
class Made:
    """What came of a piece: a record, checksum and figures for each canvas, or the reason why there is none."""

    piece: Piece
    reason: str | None = None
    crcs: list[int] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


@dataclass(frozen=True)
class Job:
    """What is the same for all pieces of a build."""

    source: Source
    target: Path
    preparation: Preparation


def make(job: Job, piece: Piece) -> Made:
    """Make the canvases of a piece and write them into the target file at their places."""
    made = Made(piece)
    try:
        sound = _sound(job, piece, made)
    except (SoundError, OSError) as error:
        made.reason = f"changed since the scan: {reason_of(SoundError(str(error)), job.source, piece.facts.name)}"
        return made
    layout = Layout(job.preparation.representation.rows, job.preparation.representation.frames)
    descriptor = os.open(job.target, os.O_WRONLY)
    try:
        for number, cut in enumerate(piece.cuts):
            picture = _picture(job, made, cut, _part(job, made, cut, sound))
            _write(descriptor, layout, made, piece.first + number, picture)
    finally:
        os.close(descriptor)
    return made


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
    with _timed(made, "transform and statistics"):
        prepared, done = prepare(sound, made.piece, cut, job.preparation)
        picture, largest, mean = transform(prepared, job.preparation.representation)
        made.measured.append(measured(largest, mean))
    made.records.append(_record(made.piece, cut, done))
    return picture


def _write(descriptor: int, layout: Layout, made: Made, index: int, picture: np.ndarray) -> None:
    with _timed(made, "hash"):
        crc, made.records[-1]["sha256"] = checksums(layout, picture)
    with _timed(made, "write"):
        put(descriptor, layout, index, picture, crc)
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
