# SPDX-License-Identifier: Apache-2.0
"""What a set of examined files amounts to, and how it would fill canvases of one shape or another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from os.path import splitext

from spect.archive.layout import Layout
from spect.dataset.options import Preparation
from spect.dataset.plan import cuts_of, length_of
from spect.dataset.scan import Facts

WHOLE = 0.95  # the share of files that a proposal holds whole
EMPTY = 0.5  # canvases emptier than this are worth a proposal
USUAL_RATE = 44100
HIGHEST_PROPOSED = 512  # rows
LOWEST_PROPOSED = 64


@dataclass(frozen=True)
class Fit:
    """How files fill canvases of one kind.

    Args:
        canvases: how many.
        whole: share of the files that lose nothing.
        full: share of the canvases that is sound, not padding.
        lost_seconds: what falls off the files' ends.
        archive_bytes: size to expect.
    """

    preparation: Preparation
    canvases: int
    whole: float
    full: float
    lost_seconds: float
    archive_bytes: int


def fit(files: Sequence[Facts], preparation: Preparation) -> Fit:
    """Measure how files fill the canvases of a preparation, by their lengths alone."""
    representation = preparation.representation
    if preparation.beats is not None:
        return _fit_clips(files, preparation)
    canvases = whole = covered = used = total = 0
    for facts in files:
        length = length_of(facts, preparation)
        cuts = cuts_of(length, preparation)
        reached = min(length, cuts[-1].start + cuts[-1].length)
        if preparation.slice:  # a stride longer than a canvas leaves gaps
            gap = max(0, preparation.stride - representation.samples)
            reached -= gap * (len(cuts) - 1)
        canvases, total, covered = canvases + len(cuts), total + length, covered + reached
        whole += reached == length
        used += sum(cut.length for cut in cuts)
    size = Layout(representation.rows, representation.frames).archive_bytes(canvases)
    return Fit(
        preparation,
        canvases,
        whole / max(1, len(files)),
        used / max(1, canvases * representation.samples),
        (total - covered) / representation.sample_rate,
        size,
    )


def _fit_clips(files: Sequence[Facts], preparation: Preparation) -> Fit:
    shape, heard = preparation.representation, [facts.heard for facts in files if facts.heard is not None]
    canvases = sum(len(one.clips) for one in heard)
    whole = sum(not one.losses for one in heard) / max(1, len(files))
    lost = sum(one.lost_seconds for one in heard)
    size = Layout(shape.rows, shape.frames).archive_bytes(canvases)
    return Fit(preparation, canvases, whole, preparation.clip_samples / shape.samples, lost, size)


def with_shape(preparation: Preparation, rows: int, frames: int, rate: int) -> Preparation:
    """Give the same preparation for another canvas; the stride stays the same part of it."""
    shape = replace(preparation.representation, sample_rate=rate, rows=rows, frames=frames)
    stride = max(1, round(preparation.stride * shape.samples / preparation.representation.samples))
    fade = min(preparation.fade_out_ms, 1000 * shape.samples / rate)
    return replace(preparation, representation=shape, stride=stride, fade_out_ms=fade)


def usual_rate(files: Sequence[Facts]) -> int:
    """Propose a sample rate: the lowest of the files' that loses nothing of 95 % of them, at most 44.1 kHz."""
    rates = sorted(facts.rate for facts in files)
    return min(USUAL_RATE, rates[ceil(WHOLE * len(rates)) - 1])


def propose(files: Sequence[Facts], preparation: Preparation) -> Preparation | None:
    """Propose the smallest canvas that networks learn and that holds 95 % of the files whole, or slices.

    None where what was asked for holds them already and isn't half empty.
    """
    if not files or preparation.beats is not None:
        return None
    current, rate = fit(files, preparation), usual_rate(files)
    own = preparation.representation
    if preparation.slice:
        return None if own.sample_rate <= rate else with_shape(preparation, own.rows, own.frames, rate)
    shapes = [(side, side * factor) for side in _sides() for factor in (1, 2)]
    fits = (fit(files, with_shape(preparation, rows, frames, rate)) for rows, frames in shapes)
    best = next((found for found in fits if found.whole >= WHOLE), None)
    if best is None:
        shape = with_shape(preparation, HIGHEST_PROPOSED, HIGHEST_PROPOSED, rate)
        return replace(shape, slice=True, stride=shape.representation.samples)
    good = current.whole >= WHOLE and current.full >= EMPTY
    same = best.archive_bytes >= current.archive_bytes and current.whole >= WHOLE
    return None if good or same else best.preparation


def _sides() -> list[int]:
    side, sides = LOWEST_PROPOSED, []
    while side <= HIGHEST_PROPOSED:
        sides.append(side)
        side *= 2
    return sides


@dataclass(frozen=True)
class Survey:
    """Files by what matters about them. `good` go in; `bad` are left out with their reasons; `heard` by --beats."""

    good: tuple[Facts, ...]
    bad: tuple[tuple[str, str], ...]
    short: tuple[Facts, ...]
    silent: tuple[Facts, ...]
    clipped: tuple[Facts, ...]
    over: tuple[Facts, ...]
    heard: tuple[Facts, ...] = ()

    @property
    def files(self) -> int:
        """All files, good and bad."""
        return len(self.good) + len(self.bad)

    @property
    def seconds(self) -> list[float]:
        """Lengths of the good files, sorted."""
        return sorted(facts.seconds for facts in self.good)

    def counts(self) -> dict[str, str]:
        """Give the table's rows of rates, channels and formats in words, the most common first."""
        rates = Counter(f"{facts.rate} Hz" for facts in self.good)
        names = {1: "mono", 2: "stereo"}
        channels = Counter(names.get(facts.channels, f"{facts.channels} channels") for facts in self.good)
        formats = Counter(splitext(facts.name)[1].lower().lstrip(".") for facts in self.good)
        return {"formats": _listed(formats), "rates": _listed(rates), "channels": _listed(channels)}

    def length_at(self, share: float) -> float:
        """Give the length in seconds that this share of the good files doesn't exceed."""
        seconds = self.seconds
        return seconds[max(0, ceil(share * len(seconds)) - 1)] if seconds else 0.0


def survey(facts: Sequence[Facts], unreadable: Sequence[str], preparation: Preparation) -> Survey:
    """Sort examined files by what is to be said of them."""
    shape = preparation.representation
    bad = [(one.name, one.reason) for one in facts if one.reason is not None]
    bad += [(name, f"{splitext(name)[1]} isn't read; convert it to wav or flac") for name in unreadable]
    good = [one for one in facts if one.reason is None]
    if preparation.trim_start or preparation.peak_db is not None:
        option = "--trim-start" if preparation.trim_start else "--peak"
        bad += [(one.name, f"silent, so that {option} has nothing to hold on to") for one in good if one.silent]
        good = [one for one in good if not one.silent]
    return Survey(
        tuple(good),
        tuple(sorted(bad)),
        tuple(one for one in good if length_of(one, preparation) < shape.window),
        tuple(one for one in good if one.silent),
        tuple(one for one in good if one.clipped),
        tuple(one for one in good if one.peak > 1.0),
        tuple(one for one in facts if one.heard is not None),
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
