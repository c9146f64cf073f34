# SPDX-License-Identifier: Apache-2.0
"""What the dataset tool says, as lines: what was found, what will be done, what to expect, what was done."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spect.dataset.build import Built
from spect.dataset.labels import Labels
from spect.dataset.labels_set import AnySet, ClassSet
from spect.dataset.options import Preparation, parse_resolution
from spect.dataset.plan import held_out, length_of
from spect.dataset.scan import Facts
from spect.dataset.select import Selection
from spect.dataset.survey import Fit, Survey, fit, with_shape
from spect.representation import trainable

NO_CLIP = "no clip"  # how the reason of a recording begins in which --beats found none
SHOWN = 3  # bad files named on the terminal; skipped.csv has them all


def scanned(chosen: Selection, found: Survey, preparation: Preparation) -> list[str]:
    """Give the scan's table."""
    seconds = found.seconds
    hours = f"{sum(seconds) / 3600:.3g}"
    if seconds:
        hours += (
            f" (a file: median {length(found.length_at(0.5))}, 95 % up to {length(found.length_at(0.95))}, longest "
            f"{length(seconds[-1])})"
        )
    counts = found.counts()
    column = length(preparation.representation.window / preparation.representation.sample_rate)
    rows = [
        ("files", f"{found.files}" + (f" ({counts['formats']})" if seconds else "")),
        ("hours", hours),
        ("rates", counts["rates"] or "-"),
        ("channels", counts["channels"] or "-"),
        ("too short", _with(found.short, f"under one column, {column}; they go in")),
        ("silent", _with(found.silent, "peak below -80 dBFS; they go in")),
        ("clipped", _with(found.clipped, "three or more samples on end at full scale; they go in")),
        _left_out(found),
    ]
    if found.over:
        rows.insert(-1, ("over 0 dBFS", _with(found.over, "float files; kept as they are")))
    lines = ["", f"Scan of {chosen.source}:", *table(rows)]
    lines += [f"    {name}: {reason}" for name, reason in found.bad[:SHOWN]]
    if len(found.bad) > SHOWN:
        lines.append(f"    ... and {len(found.bad) - SHOWN} more")
    if chosen.others:
        others = ", ".join(f"{suffix} {count}" for suffix, count in list(chosen.others.items())[:6])
        lines.append(f"  {counted(sum(chosen.others.values()), 'other file')} there, no sounds ({others})")
    if chosen.left_out:
        lines.append(f"  {counted(chosen.left_out, 'further sound')} left out by --include or --max-files")
    return lines


def _left_out(found: Survey) -> tuple[str, str]:
    if found.heard:
        return "left out", f"{len(found.bad)}"
    return "unreadable", f"{len(found.bad)}" + (" (left out)" if found.bad else "")


def _with(some: Sequence[Facts], note: str) -> str:
    return f"{len(some)} ({note})" if some else "0"


def intended(
    found: Survey, labels: Labels, preparation: Preparation, dest: Path, options: Mapping[str, Any], workers: int
) -> list[str]:
    """Say what will be done, and why where that was chosen for the user."""
    shape, got = preparation.representation, fit(found.good, preparation)
    replaced = " (replaces the one that is there)" if dest.exists() else ""
    usual = "" if options["resolution"] or options["sample_rate"] else " (the paper's; --resolution, --sample-rate)"
    rows = [
        ("archive", f"{dest}, {counted(got.canvases, 'canvas')}, {size(got.archive_bytes)}{replaced}"),
        (
            "canvas",
            f"{shape.rows}x{shape.frames}, {preparation.seconds:.2f} s of stereo at {shape.sample_rate} Hz{usual}"
            + (", without each frame's mean: the paper's own variant" if shape.dc == "dropped" else ""),
        ),
        ("cut", _cut(found.good, preparation, got)),
        ("resampling", _resampling(found.good, preparation)),
        ("prepared", _prepared(preparation)),
        *_label_rows(found.good, labels),
        ("holdout", _holdout(found.good, options["holdout"])),
        ("workers", f"{workers}" + _chosen_workers(options)),
    ]
    lines = ["", "It will write:", *table([row for row in rows if row[1]])]
    if not trainable(shape.rows, shape.frames):
        lines.append(
            f"  Note: a network learns canvases whose smaller side is a power of two from 16 up and whose larger is "
            f"a multiple of it; {shape.rows}x{shape.frames} can be kept, but not trained as it stands."
        )
    if labels.unmatched:
        lines.append(
            f"  Note: {len(labels.unmatched)} rows of labels name no file here (the first: {labels.unmatched[0]})"
        )
    return lines


def _chosen_workers(options: Mapping[str, Any]) -> str:
    if options["executor"] == "dask":
        return f" of the cluster at {options['scheduler']}"
    return "" if options["workers"] else " (--workers; as many as cores and files give work)"


def _cut(files: Sequence[Facts], preparation: Preparation, got: Fit) -> str:
    lost = f"{length(got.lost_seconds)} fall off the end" if got.lost_seconds else "nothing falls off the end"
    full = f"the canvases are {100 * got.full:.0f} % sound, the rest padding"
    if preparation.slice:
        stride = preparation.stride / preparation.representation.sample_rate
        return f"consecutive slices, one every {stride:.2f} s; {full}; {lost}"
    if preparation.beats is not None:
        return f"on beats; {full}; {length(got.lost_seconds)} dropped"
    samples = preparation.representation.samples
    cut = sum(length_of(facts, preparation) > samples for facts in files)
    return f"{counted(len(files) - cut, 'file')} padded, {cut} truncated; {full}; {lost}"


def _resampling(files: Sequence[Facts], preparation: Preparation) -> str:
    to_rate = preparation.representation.sample_rate
    rates = Counter(facts.rate for facts in files if facts.rate != to_rate)
    if not rates:
        return ""
    how = "soxr, best quality" if preparation.resampler == "soxr" else "linear, the paper's: it aliases"
    cut = sum(count for rate, count in rates.items() if rate > 1.1 * to_rate)
    lost = f"; {cut} of them lose what lies above {to_rate / 2000:g} kHz" if cut else ""
    named = ", ".join(str(rate) for rate in sorted(rates))
    return f"{counted(rates.total(), 'file')} from {named} Hz ({how}){lost}"


def _prepared(preparation: Preparation) -> str:
    done = []
    if preparation.beats is not None:
        done.append(f"stretched to {preparation.beats.bpm:g} BPM")
    if preparation.trim_start:
        done.append("starts trimmed to 60 dB below the peak")
    if preparation.peak_db is not None:
        done.append(f"peaks at {preparation.peak_db:g} dBFS")
    if preparation.fade_out_ms:
        done.append(f"ends faded out over {preparation.fade_out_ms:g} ms")
    return ", ".join(done)


def _label_rows(files: Sequence[Facts], labels: Labels) -> list[tuple[str, str]]:
    if labels.sets == (labels.own,):
        return [("classes", _classes(files, labels.own))]
    return [(f"label {one.name}", _told(files, one)) for one in labels.sets]


def _told(files: Sequence[Facts], labelled: AnySet) -> str:
    if isinstance(labelled, ClassSet):
        return _classes(files, labelled)
    what = "a number" if labelled.width == 1 else f"{labelled.width} numbers"
    named = f" ({', '.join(labelled.columns[:6])}{', ...' * (len(labelled.columns) > 6)})" if labelled.columns else ""
    return f"{what} a file{named}{_without(files, labelled)}"


def _classes(files: Sequence[Facts], labelled: ClassSet) -> str:
    classes = labelled.classes
    numbers = Counter(labelled.numbers.get(facts.name, -1) for facts in files)
    named = ", ".join(f"{name} {numbers[index]}" for index, name in enumerate(classes[:24]))
    more = f", ... {len(classes) - 24} more" if len(classes) > 24 else ""
    return f"{len(classes)}: {named}{more}{_without(files, labelled)}"


def _without(files: Sequence[Facts], labelled: AnySet) -> str:
    bare = [facts.name for facts in files if facts.name not in labelled.files]
    return f"; {counted(len(bare), 'file')} {'has' if len(bare) == 1 else 'have'} none ({bare[0]})" if bare else ""


def _holdout(files: Sequence[Facts], share: float) -> str:
    if not share:
        return ""
    held = sum(held_out(facts.name, share) for facts in files)
    if not held:
        return f"none of {len(files)} files falls to it by the hash of its name: too few for --holdout={share:g}"
    return f"{held} of {len(files)} files set apart for scores, by the hash of their names"


def expected(
    files: Sequence[Facts], preparation: Preparation, proposed: Preparation | None, presets: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Propose a better canvas where there is one, and show what each choice costs."""
    rows: list[tuple[str, ...]] = [("", "canvas", "files whole", "full", "archive", "memory", "s/kimg")]
    rows.append(_row("asked for", fit(files, preparation)))
    if proposed is not None:
        rows.append(_row("proposed", fit(files, proposed)))
    rate = (proposed or preparation).representation.sample_rate
    if preparation.beats is not None:  # other canvases have other clips
        own = preparation.representation
        presets = [preset for preset in presets if preset["resolution"] == f"{own.rows}x{own.frames}"]
    machines = Counter(str(preset.get("measured_on", "")) for preset in presets)
    usual = machines.most_common(1)[0][0] if machines else ""
    for preset in presets:
        shape = with_shape(preparation, *parse_resolution(preset["resolution"]), preset.get("sample_rate") or rate)
        other = str(preset.get("measured_on", ""))
        speed = f"{preset['s_per_kimg']:g}" + f" on {other}" * (other != usual)
        rows.append(_row(f"--preset={preset['preset']}", fit(files, shape), f"{preset['memory_gb']:g} GB", speed))
    lines = [
        "",
        "What to expect of training" + f" (on {usual})" * bool(usual) + ":",
        *table(rows),
    ]
    return lines + _proposal(files, preparation, proposed)


def _row(name: str, got: Fit, memory: str = "", speed: str = "") -> tuple[str, ...]:
    shape = got.preparation.representation
    canvas = f"{shape.rows}x{shape.frames}, {got.preparation.seconds:.2f} s at {shape.sample_rate} Hz"
    return name, canvas, f"{100 * got.whole:.0f} %", f"{100 * got.full:.0f} %", size(got.archive_bytes), memory, speed


def _proposal(files: Sequence[Facts], preparation: Preparation, proposed: Preparation | None) -> list[str]:
    if proposed is None:
        return []
    new, old, shape = fit(files, proposed), fit(files, preparation), proposed.representation
    flags = f"--resolution={shape.rows}x{shape.frames} --sample-rate={shape.sample_rate}" + " --slice" * proposed.slice
    what = "cuts long files into canvases" if proposed.slice else f"holds {100 * new.whole:.0f} % of the files whole"
    return [
        f"  Proposal: {flags}",
        f"    {what}, and the canvases are {100 * new.full:.0f} % sound ({100 * old.full:.0f} % as asked for)",
    ]


def finished(
    dest: Path,
    built: Built,
    bad: Sequence[tuple[str, str]],
    listed: Path | None,
    files: int,
    previews: Path | None,
    seconds: float,
) -> list[str]:
    """Say what was done. `listed` is the list of the bad."""
    good = files - len(bad)
    made = f"{counted(built.items, 'canvas')} of {counted(good, 'file')}"
    lines = ["", f"{dest}: {made}, {size(dest.stat().st_size)}, in {length(seconds)}"]
    if built.kept:
        lines.append(f"  {built.kept} of them were made before it was interrupted")
    if built.holdout:
        lines.append(f"  {built.holdout} of them are held out for scores")
    if bad and listed:
        count = f"{len(bad)} of {counted(files, 'file')} {'is' if len(bad) == 1 else 'are'}"
        what = "left out" if any(reason.startswith(NO_CLIP) for _, reason in bad) else "unreadable"
        lines.append(f"--source: {count} {what} (listed in {listed.name}); the other {good} go in.")
    if built.failed:
        lines.append(f"  {len(built.failed)} of these changed while the archive was built")
    if previews:
        lines.append(f"  pictures in {previews}")
    return lines


def next_step(dest: Path, preparation: Preparation, presets: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give the command that trains on the archive, with the preset made for its shape where there is one."""
    shape = preparation.representation
    names = [preset["preset"] for preset in presets if preset["resolution"] == f"{shape.rows}x{shape.frames}"]
    if not names:
        return []
    return [f"  next: python train.py --outdir=trained_networks --data={dest} --preset={names[-1]}"]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns, two blanks between them."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def counted(number: int, thing: str) -> str:
    """Write a number of things: 1 file, 2 files, 2 canvases."""
    return f"{number} {thing}" + ("" if number == 1 else "es" if thing.endswith("s") else "s")


def length(seconds: float) -> str:
    """Write a length of time for people."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def size(count: int) -> str:
    """Write a number of bytes for people."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count / 1e3:.3g} kB"
