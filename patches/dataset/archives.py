# SPDX-License-Identifier: Apache-2.0
"""What dataset_tool_wav.py does with archives that are there: --info, --verify, --merge and --split."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from patches.console import progress
from patches.errors import UserError
from spect.archive.faults import faults
from spect.archive.reader import Archive
from spect.archive.sets import CLASSES, LabelSet
from spect.archives.alike import check_alike
from spect.archives.info import Info, info
from spect.archives.merge import Merged, merge
from spect.archives.split import parse_shares, split
from spect.dataset.report import counted, size, table
from spect.dataset.select import check_dest
from spect.errors import SoundError

VERBS = ("info", "verify", "merge", "split")
BROKEN = 1  # exit code of --verify where something is
SHOWN = 20  # members named; classes
DEFAULTS = {"fade_out_ms": 0.0, "dc": "packed", "resampler": "soxr", "holdout": 0.0, "executor": "processes"}
"""Of the build's options."""
WRITES = ("dest", "dry_run")
RECOMPUTED = "statistics computed anew from the pictures, since archives don't keep the histograms behind theirs"

Echo = Callable[[Sequence[str]], None]


def asked(arguments: Mapping[str, Any]) -> str | None:
    """Name the verb that a command line asks for; None where it builds an archive of sounds.

    Raises:
        UserError: two at once, or options that don't go with it.
    """
    named = [verb for verb in VERBS if arguments[verb]]
    if not named:
        if arguments["archives"]:
            raise UserError(f"{arguments['archives'][0]}: unexpected; sounds are named by --source")
        return None
    if len(named) > 1:
        raise UserError(f"--{named[0]} and --{named[1]}: one at a time")
    allowed = {*named, "archives", "debug", *(WRITES if named[0] in ("merge", "split") else ())}
    others = [name for name, value in arguments.items() if name not in allowed and value != DEFAULTS.get(name)]
    others = [name for name in others if arguments[name] not in (None, False, ())]
    if others:
        told = ", ".join(f"--{name.removesuffix('_db').removesuffix('_ms').replace('_', '-')}" for name in others)
        raise UserError(f"--{named[0]}: doesn't go with {told}, which is for building")
    return named[0]


def on_archives(verb: str, arguments: Mapping[str, Any], echo: Echo) -> int:
    """Do what a verb says; the exit code.

    Raises:
        UserError, SoundError: one line about what is wrong.
    """
    if verb == "split":
        return _split(arguments, echo)
    paths = [Path(name) for name in (*arguments[verb], *arguments["archives"])]
    if verb == "merge":
        return _merge(paths, arguments, echo)
    if verb == "verify":
        return max(_verify(path, echo) for path in paths)
    for path in paths:
        echo(_told(path, info(Archive.open(path))))
    return 0


def _told(path: Path, found: Info) -> list[str]:
    made, figures = found.representation, found.statistics
    seconds = 2 * made["rows"] * made["frames"] / made["sample_rate"]
    split = f" ({found.items - found.holdout} to train on, {found.holdout} held out)" if found.holdout else ""
    rows = [
        ("pictures", f"{found.items} of {counted(found.files, 'file')}{split}"),
        ("sound", f"{found.seconds / 3600:.3g} hours"),
        ("canvas", f"{made['rows']}x{made['frames']}, {seconds:.2f} s of stereo at {made['sample_rate']} Hz"),
        ("frames' means", "packed" if made["dc"] == "packed" else "dropped (the paper's own variant)"),
        ("prepared", ", ".join(f"{name} {value}" for name, value in found.preparation.items() if value) or "as it is"),
        *((f"label {one.name}", _label(one, found)) for one in found.label_sets),
    ]
    if figures.get("row_maximum_p99"):
        largest = figures["row_maximum_p99"]
        note = f"rows {min(largest):.3g} to {max(largest):.3g}, DC {figures['dc_maximum_p99']:.3g}"
        rows.append(("scaling", f"99th percentile of the largest values: {note}"))
    rows += [("bytes", f"{found.bytes} ({size(found.bytes)})"), ("hash", found.digest)]
    return [f"{path}:", *table(rows)]


def _label(one: LabelSet, found: Info) -> str:
    bare = f"; {counted(one.without, 'picture')} without" if one.without else ""
    if one.kind != CLASSES:
        return ("a number" if one.width == 1 else f"{one.width} numbers") + bare
    counts: Sequence[int | str] = found.class_items if one.classes == found.classes else [""] * len(one.classes)
    named = ", ".join(f"{name} {count}".strip() for name, count in zip(one.classes[:SHOWN], counts, strict=False))
    return f"{len(one.classes)}: {named}" + ", ..." * (len(one.classes) > SHOWN) + bare


def _verify(path: Path, echo: Echo) -> int:
    try:
        archive = Archive.open(path)
    except SoundError as error:
        echo([str(error)])
        return BROKEN
    found = 0
    with progress("verifying", len(archive), "pictures") as advance:
        for fault in faults(archive, advance):
            found += 1
            if found <= SHOWN:
                echo([f"{path}: {fault.member}: {fault.reason}"])
    if found > SHOWN:
        echo([f"  ... and {found - SHOWN} more"])
    told = f"{len(archive)} pictures, {size(path.stat().st_size)}"
    if found:
        echo([f"{path}: {counted(found, 'member')} of {told} {'is' if found == 1 else 'are'} broken; build it again"])
    else:
        echo([f"{path}: whole ({told})"])
    return BROKEN if found else 0


def _dest(arguments: Mapping[str, Any], example: str) -> Path:
    if arguments["dest"] is None:
        raise UserError(f"--dest: missing; name {example}")
    return Path(arguments["dest"])


def _check_dest(dest: Path, sources: Sequence[Path], bytes_needed: int) -> None:
    if any(dest.exists() and dest.samefile(source) for source in sources):
        raise UserError(f"--dest: {dest} is an archive that is read; choose another name")
    check_dest(sources[0], dest, bytes_needed)


def _merge(paths: Sequence[Path], arguments: Mapping[str, Any], echo: Echo) -> int:
    dest = _dest(arguments, "the new archive, NAME.zip")
    if len(paths) < 2:
        raise UserError(f"--merge: {paths[0]} alone; name two archives or more")
    archives = [Archive.open(path) for path in paths]
    check_alike(archives)
    bytes_needed = sum(path.stat().st_size for path in paths)
    _check_dest(dest, paths, bytes_needed)
    total = sum(len(archive) for archive in archives)
    if arguments["dry_run"]:
        echo(
            [f"{dest}: {total} pictures of {len(paths)} archives, {size(bytes_needed)}", "--dry-run: nothing written."]
        )
        return 0
    dest.parent.mkdir(parents=True, exist_ok=True)
    with progress("merging", total, "pictures") as advance:
        merged = merge(archives, dest, advance)
    echo([f"{dest}: {total} pictures of {len(paths)} archives, {size(dest.stat().st_size)}; {RECOMPUTED}"])
    echo([f"  note: {line}" for line in _notes(merged)])
    return 0


def _notes(merged: Merged) -> list[str]:
    notes = []
    if merged.differing:
        notes.append(f"their sounds were prepared differently ({', '.join(merged.differing)})")
    if merged.shared:
        notes.append(f"{counted(merged.shared, 'source name')} in several of them; all their pictures went in")
    if merged.astray:
        notes.append(f"{counted(merged.astray, 'source name')} held out in one and trained on in another; so they stay")
    return notes


def _split(arguments: Mapping[str, Any], echo: Echo) -> int:
    shares = parse_shares(arguments["split"])
    if len(arguments["archives"]) != 1:
        raise UserError(f"--split: got {len(arguments['archives'])} archives; name one, after the shares")
    path = Path(arguments["archives"][0])
    archive = Archive.open(path)
    dests = _dests(_dest(arguments, "a folder, or as many archives as shares, such as a.zip,b.zip"), path, len(shares))
    for dest in dests:
        _check_dest(dest, [path], path.stat().st_size)
    if arguments["dry_run"]:
        echo([f"{path}: {len(archive)} pictures into {', '.join(map(str, dests))}", "--dry-run: nothing written."])
        return 0
    for dest in dests:
        dest.parent.mkdir(parents=True, exist_ok=True)
    with progress("splitting", len(archive), "pictures") as advance:
        parts = split(archive, shares, dests, advance)
    echo([f"{part.path}: {part.items} pictures of {counted(part.files, 'file')}" for part in parts])
    echo([f"  {RECOMPUTED}"])
    return 0


def _dests(dest: Path, source: Path, parts: int) -> list[Path]:
    named = [Path(name) for name in str(dest).split(",")]
    if len(named) == parts:
        if len(set(named)) < parts:
            raise UserError(f"--dest: got {dest}; the parts' names must differ")
        return named
    if len(named) > 1 or dest.suffix.lower() == ".zip":
        raise UserError(f"--dest: got {dest}; name {parts} archives, with commas between them, or a folder")
    return [dest / f"{source.stem}-{number + 1}.zip" for number in range(parts)]
