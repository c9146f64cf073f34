# SPDX-License-Identifier: Apache-2.0
"""The lines at the end of a generation: where, how many, how loud, what to look at, how long."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from patches.generate.files import Written
from patches.generate.sweep import Outcome
from patches.loudness import CEILING_DB, decibels

QUIET_DB = -40.0  # a peak below this is worth a word
NAMED = 6  # how many names a line holds

SUBTYPE_NAMES = {"PCM_16": "16-bit", "PCM_24": "24-bit", "FLOAT": "32-bit float"}


def summary(outcome: Outcome, outdir: Path, seconds: float) -> Iterator[str]:
    """Yield the lines of the summary."""
    written = outcome.written
    count = len(written)
    network, decoding = outcome.network_seconds / count, outcome.decode_seconds / count
    yield (
        f"{count} sound{'s' * (count != 1)} of {_span([w.seconds for w in written], '.2f')} s "
        f"({outcome.sample_rate} Hz, {SUBTYPE_NAMES[outcome.subtype]}) in {outdir}: "
        f"{seconds:.1f} s, {seconds / count:.2f} s each (network {network:.3f} s, decoding {decoding:.3f} s)"
    )
    for what, path in outcome.pages:
        yield f"{what}: {path}"
    yield from _levels(written)
    yield from _warnings(outcome, outdir)


def _levels(written: Sequence[Written]) -> Iterator[str]:
    heard = [w.levels for w in written if not w.levels.silent]
    if heard:
        peaks = _span([decibels(level.peak) for level in heard], ".1f")
        yield f"levels: peak {peaks} dBFS, rms {_span([level.rms_db for level in heard], '.1f')} dBFS"


def _warnings(outcome: Outcome, outdir: Path) -> Iterator[str]:
    written = outcome.written
    lowered = [f"{_name(w, outdir)} by {-w.gain_db:.1f} dB" for w in written if w.gain_db]
    if lowered:
        yield f"lowered to {CEILING_DB} dBFS (went over full scale; --subtype=FLOAT keeps it): {_listed(lowered)}"
    over = [f"{_name(w, outdir)} by {decibels(w.levels.peak):.1f} dB" for w in written if w.levels.peak > 1]
    if over:
        yield f"over full scale, kept: {_listed(over)}"
    silent = [_name(w, outdir) for w in written if w.levels.silent]
    if silent:
        yield f"silent: {_listed(silent)}"
    quiet = [_name(w, outdir) for w in written if not w.levels.silent and decibels(w.levels.peak) < QUIET_DB]
    if quiet:
        yield f"quiet (peak under {QUIET_DB:.0f} dBFS): {_listed(quiet)}"
    offset = [f"{_name(w, outdir)} {w.levels.dc / w.levels.peak:.1%}" for w in written if w.levels.has_dc]
    if offset:
        yield f"DC above 1 % of the peak: {_listed(offset)}"
    if outcome.not_finite:
        yield f"not finite, not written: {_listed(outcome.not_finite)}"
    for path, reason in outcome.left_out:
        yield f"left out: {reason if str(path) in reason else f'{path}: {reason}'}"
    yield from outcome.notes


def _name(written: Written, outdir: Path) -> str:
    return str(written.wav.relative_to(outdir).with_suffix("")) if written.wav.suffix == ".wav" else written.wav.name


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _span(values: Sequence[float], form: str) -> str:
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"
