# SPDX-License-Identifier: Apache-2.0
"""Which canvas is cut out of which file where: everything is known before the first picture is written.

Positions are in samples at the archive's rate, counted from the file's beginning (of what --trim-start left, in `Cut`).
A long file is read in pieces. A piece begins where both clocks meet (a multiple of rate/gcd frames), MARGIN frames
early, so that the pieces of a resampled file fit together as if it had been resampled whole.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, gcd

from spect.beats.clips import Clip
from spect.beats.stretch import margin
from spect.dataset.options import Preparation
from spect.dataset.scan import Facts
from spect.errors import SoundError

CANVASES_A_PIECE = 8
MOST_HELD = 0.9  # share of the files
MARGIN = 4096  # frames at the lower of the two rates; soxr's longest filter is some hundred


@dataclass(frozen=True)
class Cut:
    """One canvas: `length` samples from `start` on of the trimmed, resampled file, or as many of a stretched clip."""

    start: int
    length: int
    clip: Clip | None = None

    def reach(self, rate: int) -> tuple[int, int]:
        """Tell from where to where of the file it is made."""
        if self.clip is None:
            return self.start, self.start + self.length
        return max(0, self.start - margin(rate)), self.start + round(self.length * self.clip.ratio) + margin(rate)


@dataclass(frozen=True)
class Piece:
    """One job: read a file once, cut canvases out of it.

    Args:
        first: index of the first canvas in the archive.
        begin, frames: what to read, in frames of the file.
        origin: where `begin` lies on the archive's clock, counted like Cut.start.
        trimmed: samples at the archive's rate that --trim-start left out before.
    """

    facts: Facts
    first: int
    begin: int
    frames: int
    origin: int
    trimmed: int
    cuts: tuple[Cut, ...]
    label: int
    holdout: bool


def resampled(frames: int, rate: int, to_rate: int) -> int:
    """Tell the length of a sound at another rate, as spect.audio.resample gives it."""
    return max(round(frames * to_rate / rate), min(frames, 1))


def length_of(facts: Facts, preparation: Preparation) -> int:
    """Tell a file's length at the archive's rate, without what --trim-start leaves out."""
    return resampled(facts.frames - facts.onset, facts.rate, preparation.representation.sample_rate)


def cuts_of(length: int, preparation: Preparation) -> list[Cut]:
    """Cut a sound of `length` samples into canvases.

    Without --slice one, padded or truncated. With it, one every stride; what is left at the end gets a canvas of its
    own, padded, when it fills half of one, or when it is all there is.
    """
    samples = preparation.representation.samples
    cuts = [Cut(0, min(length, samples))]
    if preparation.slice:
        start = preparation.stride
        while length - start >= samples / 2 and cuts[-1].start + samples < length:
            cuts.append(Cut(start, min(length - start, samples)))
            start += preparation.stride
    return cuts


def cuts_for(facts: Facts, preparation: Preparation) -> list[Cut]:
    """Cut a file into canvases: on the beats that were heard, or by its length."""
    if facts.heard is None:
        return cuts_of(length_of(facts, preparation), preparation)
    rate, length = preparation.representation.sample_rate, preparation.clip_samples
    return [Cut(round(clip.time * rate), length, clip) for clip in facts.heard.clips]


def held_out(name: str, share: float) -> bool:
    """Tell by a file's name alone whether it is set apart, so that it is in every archive made of these files."""
    number = int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big")
    return number < share * 2**64


def check_holdout(files: Sequence[Facts], share: float) -> None:
    """Refuse a share that leaves nothing to train on.

    Raises:
        SoundError: every file is held out.
    """
    if not 0 <= share <= MOST_HELD:
        raise SoundError(f"--holdout: got {share:g}; allowed are 0 to {MOST_HELD:g}, such as 0.1")
    if files and all(held_out(facts.name, share) for facts in files):
        raise SoundError(
            f"--holdout={share:g}: takes {len(files)} of {len(files)} files, by the hash of their names, so that none "
            "is left to train on; give a smaller share, or more files"
        )


def pieces(
    files: Iterable[Facts], preparation: Preparation, labels: Mapping[str, int], holdout: float
) -> Iterator[Piece]:
    """Plan the reading of all files, in order."""
    first = 0
    for facts in files:
        cuts = cuts_for(facts, preparation)
        facts = replace(facts, heard=None)  # which each piece would carry along
        for at in range(0, len(cuts), CANVASES_A_PIECE):
            group = tuple(cuts[at : at + CANVASES_A_PIECE])
            label = labels.get(facts.name, -1)
            yield _piece(facts, first, group, preparation, label, held_out(facts.name, holdout))
            first += len(group)


def _piece(
    facts: Facts, first: int, cuts: tuple[Cut, ...], preparation: Preparation, label: int, holdout: bool
) -> Piece:
    to_rate = preparation.representation.sample_rate
    common = gcd(facts.rate, to_rate)
    down, up = facts.rate // common, to_rate // common
    early = MARGIN * max(1, ceil(facts.rate / to_rate)) if facts.rate != to_rate else 0
    left = facts.frames - facts.onset
    first_needed, last_needed = cuts[0].reach(to_rate)[0], max(cut.reach(to_rate)[1] for cut in cuts)
    block = max(0, (first_needed * down // up - early) // down)
    stop = min(left, ceil(last_needed * down / up) + early)
    begin = block * down
    trimmed = round(facts.onset * to_rate / facts.rate)
    return Piece(facts, first, facts.onset + begin, stop - begin, block * up, trimmed, cuts, label, holdout)
