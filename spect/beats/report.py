# SPDX-License-Identifier: Apache-2.0
"""What --beats says, as lines: how much music, at which tempos, what was dropped and why."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from spect.beats.clips import Heard
from spect.beats.options import Beats

SHOWN = 3  # losses named on the terminal; skipped.csv has them all

Recordings = Sequence[tuple[str, Heard]]


def heard_rows(found: Recordings, wanted: Beats, clip_seconds: float, seconds: float) -> list[tuple[str, str]]:
    """Give the table's rows.

    Args:
        found: recordings by name, with their clips.
        seconds: their whole length.
    """
    tempos = sorted(tempo for _, heard in found for tempo in heard.tempos)
    lost = sum(heard.lost_seconds for _, heard in found)
    clips = sum(len(heard.clips) for _, heard in found)
    bars = f"{wanted.bars} {'bar' if wanted.bars == 1 else 'bars'}, " if wanted.bars else ""
    beats = clip_seconds * wanted.bpm / 60
    rows = [
        ("music", f"{seconds / 60:.1f} min in {len(found)} {'file' if len(found) == 1 else 'files'}"),
        ("tempos", _tempos(tempos)),
        (
            "clips",
            f"{clips}, each {clip_seconds:.2f} s ({bars}{beats:.4g} beats at {wanted.bpm:g} BPM), one every "
            f"{wanted.stride_beats} beats",
        ),
        ("dropped", f"{lost / 60:.1f} min" + _kinds(found)),
    ]
    return [row for row in rows if row[1]]


def losses(found: Recordings) -> list[tuple[str, str]]:
    """List what was dropped, by name of the recording: where, and why."""
    return [(name, loss.told) for name, heard in found for loss in heard.losses]


def loss_lines(found: Recordings) -> list[str]:
    """Name the first losses."""
    every = losses(found)
    lines = [f"    {name}: {told}" for name, told in every[:SHOWN]]
    return lines + [f"    ... and {len(every) - SHOWN} more"] * (len(every) > SHOWN)


def _tempos(tempos: Sequence[float]) -> str:
    if not tempos:
        return ""
    what = "segment" if len(tempos) == 1 else "segments"
    return f"{tempos[0]:.1f} to {tempos[-1]:.1f} BPM, median {median(tempos):.1f} ({len(tempos)} {what})"


def _kinds(found: Recordings) -> str:
    kinds = Counter[str]()
    for _, heard in found:
        for loss in heard.losses:
            kinds[loss.kind] += round(1000 * (loss.end - loss.begin))
    return ": " * bool(kinds) + ", ".join(f"{kind} {ms / 60000:.1f}" for kind, ms in kinds.most_common())
