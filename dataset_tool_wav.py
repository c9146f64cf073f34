# SPDX-License-Identifier: Apache-2.0
"""Turn a folder of sounds into an archive of lossless pictures that train.py learns from.

python dataset_tool_wav.py --source=sounds/ --dest=datasets/europa.zip
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while the libraries load ends quietly

import contextlib
import sys
import time
from pathlib import Path
from typing import Any

import click

from patches.console import progress, run, verb
from patches.presets import expectations
from spect.cmyk import Cmyk
from spect.dataset import report
from spect.dataset.build import Built, build, scan
from spect.dataset.labels import Labels
from spect.dataset.options import Preparation, parse_resolution
from spect.dataset.pool import cores, processes
from spect.dataset.previews import write_previews
from spect.dataset.select import Selection, check_dest, select
from spect.dataset.skipped import write_skipped
from spect.dataset.survey import Survey, fit, propose, survey
from spect.errors import SoundError

PAPER = ("512x512", 44100)
FEW = 16  # files, for which starting another process takes longer than reading them


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    required=True,
    help="A folder (with all below it), a zip, or one sound file.",
)
@click.option("--dest", type=click.Path(path_type=Path), required=True, help="The archive to write, NAME.zip.")
@click.option(
    "--resolution",
    show_default="512x512",
    metavar="FxT",
    help="Rows (frequencies) by columns (frames of 2F samples). The default, the paper's, is 11.9 s at 44.1 kHz.",
)
@click.option(
    "--sample-rate",
    type=click.IntRange(1),
    show_default="44100",
    metavar="HZ",
    help="Sounds of other rates are resampled.",
)
@click.option(
    "--labels",
    default="none",
    show_default=True,
    metavar="none|folders|FILE",
    help="Classes: none, the top folders' names, or a csv or json of file and class.",
)
@click.option("--include", metavar="CLASSES", help="Keep these classes only, such as kick,snare (with --labels).")
@click.option(
    "--slice",
    "slicing",
    is_flag=True,
    help="Cut long files into consecutive canvases (otherwise each file is padded or truncated to one).",
)
@click.option(
    "--stride", type=float, metavar="SECONDS", help="From one slice to the next; the default is a canvas's length."
)
@click.option("--trim-start", is_flag=True, help="Leave out what is 60 dB below a file's peak at its start.")
@click.option(
    "--peak", "peak_db", type=float, metavar="DB", help="Bring each file's peak to this level (0 is full scale)."
)
@click.option(
    "--fade-out", "fade_out_ms", type=float, default=0.0, metavar="MS", help="Fade out the end of each canvas's sound."
)
@click.option("--downmix", is_flag=True, help="Mix sounds of more than two channels down instead of skipping them.")
@click.option(
    "--resampler",
    type=click.Choice(["soxr", "linear"]),
    default="soxr",
    show_default=True,
    help="soxr at its best, or the paper's linear interpolation, which aliases.",
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 0.9),
    default=0.0,
    metavar="SHARE",
    help="Set this share of the files apart for scores, such as 0.1; training never sees them.",
)
@click.option(
    "--max-files", type=click.IntRange(1), metavar="N", help="Take at most N files, evenly spread over the sorted list."
)
@click.option(
    "--previews",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a png of each canvas there.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Processes; the default is one a core. The archive's bytes don't depend on it.",
)
@click.option("--dry-run", is_flag=True, help="Scan, say what would be done, and stop.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@verb
def main(source: Path, dest: Path, **options: Any) -> None:
    """Turn a folder of sounds into an archive of lossless pictures that train.py learns from."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave through the same doors as Ctrl-C
    started = time.monotonic()
    preparation = _preparation(options)
    check_dest(source, dest)
    chosen = select(source, options["labels"], options["include"], options["max_files"])
    workers = options["workers"] or (
        cores() if preparation.slice else max(1, min(cores(), -(-len(chosen.names) // FEW)))
    )
    with processes(workers) as executor:
        found = _scan(chosen, preparation, executor, workers)
        labels = chosen.labels.keep(facts.name for facts in found.good)
        proposed = propose(found.good, preparation)
        echo(report.scanned(chosen, found, preparation))
        if not found.good:
            _give_up(found, dest, options["dry_run"])
        echo(report.intended(found, labels, preparation, dest, options, workers))
        echo(report.expected(found.good, preparation, proposed, expectations()))
        check_dest(source, dest, fit(found.good, preparation).archive_bytes)
        if options["dry_run"]:
            echo(["", "--dry-run: nothing was written."])
            return
        built = _build(chosen, found, labels, preparation, dest, options["holdout"], executor, workers)
        bad = sorted([*found.bad, *built.failed])
        write_skipped(dest, bad)
        if options["previews"]:
            _previews(dest, options["previews"], built.items, executor, workers)
    echo(report.finished(dest, built, bad, found.files, options["previews"], time.monotonic() - started))
    echo(report.next_step(dest, preparation, expectations()))


def echo(lines: list[str]) -> None:
    """Print lines; a heading, which ends in a colon at the margin, stands out."""
    for line in lines:
        shown = line.encode("utf-8", "backslashreplace").decode()
        click.echo(click.style(shown, bold=True) if shown.endswith(":") and shown[:1] != " " else shown)
    sys.stdout.flush()


def _preparation(options: dict[str, Any]) -> Preparation:
    rows, frames = parse_resolution(options["resolution"] or PAPER[0])
    shape = Cmyk(sample_rate=options["sample_rate"] or PAPER[1], rows=rows, frames=frames)
    if options["stride"] is not None and not options["slicing"]:
        raise SoundError(f"--stride={options['stride']:g}: only slices have a stride; add --slice")
    seconds = shape.samples / shape.sample_rate if options["stride"] is None else options["stride"]
    return Preparation(
        representation=shape,
        resampler=options["resampler"],
        slice=options["slicing"],
        stride=round(seconds * shape.sample_rate),
        trim_start=options["trim_start"],
        peak_db=options["peak_db"],
        fade_out_ms=options["fade_out_ms"],
        downmix=options["downmix"],
    )


def _scan(chosen: Selection, preparation: Preparation, executor: Any, workers: int) -> Survey:
    facts = []
    with progress("scan", len(chosen.names), "files") as advance:
        for one in scan(
            chosen.source, chosen.names, executor, workers, downmix=preparation.downmix, trim=preparation.trim_start
        ):
            facts.append(one)
            advance(1)
    return survey(facts, chosen.unreadable, preparation)


def _give_up(found: Survey, dest: Path, dry: bool) -> None:
    listed = None if dry or not dest.parent.is_dir() else write_skipped(dest, found.bad)
    where = f" (listed in {listed})" if listed else ""
    raise SoundError(
        f"--source: none of the {found.files} files can go in{where}; the first: {found.bad[0][0]}: {found.bad[0][1]}"
    )


def _build(
    chosen: Selection, found: Survey, labels: Labels, preparation: Preparation, dest: Path, holdout: float,
    executor: Any, workers: int,
) -> Built:  # fmt: skip
    new = not dest.parent.exists()
    dest.parent.mkdir(parents=True, exist_ok=True)
    try:
        with progress("build", fit(found.good, preparation).canvases, "canvases") as advance:
            return build(
                chosen.source, found.good, labels, preparation, dest,
                holdout=holdout, executor=executor, workers=workers, progress=advance,
            )  # fmt: skip
    except BaseException:
        if new:  # an interrupted run leaves nothing behind
            with contextlib.suppress(OSError):
                dest.parent.rmdir()
        raise


def _previews(dest: Path, folder: Path, items: int, executor: Any, workers: int) -> None:
    with progress("previews", items, "pictures") as advance:
        for _ in write_previews(dest, folder, executor, workers):
            advance(1)


if __name__ == "__main__":
    run(main, click.ClickException, click.Abort)
