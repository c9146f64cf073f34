# SPDX-License-Identifier: Apache-2.0
"""Turn a folder of sounds into an archive of lossless pictures that train.py learns from; look at archives, mend them.

python dataset_tool_wav.py --source=sounds/ --dest=datasets/europa.zip
python dataset_tool_wav.py --merge a.zip b.zip --dest=datasets/all.zip
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while the libraries load ends quietly

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from patches.console import run, verb
from patches.dataset.archives import asked, on_archives
from patches.dataset.command import make_archive
from patches.dataset.placed import placed


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--source",
    metavar="PATH|ADDRESS",
    help="A folder (with all below it), a zip, or one sound file; or s3://, sftp://, https://, ... of one.",
)
@click.option("--dest", metavar="PATH|ADDRESS", help="The archive to write, NAME.zip.")
@click.option(
    "--info", multiple=True, metavar="ARCHIVE", help="Say what is in archives: counts, classes, hours, bytes."
)
@click.option(
    "--verify", multiple=True, metavar="ARCHIVE", help="Read archives whole; name every member that is broken."
)
@click.option("--merge", multiple=True, metavar="ARCHIVE", help="--merge A B ... --dest C: several archives as one.")
@click.option(
    "--split", metavar="SHARES", help="--split 0.9/0.1 ARCHIVE --dest DIR|A,B: one as several, by their sources' names."
)
@click.argument("archives", nargs=-1, metavar="[ARCHIVE ...]")
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
    multiple=True,
    show_default="none",
    metavar="none|folders|smpl|FILE",
    help="Labels: the top folders' names, the pitch in wav files' smpl chunks, or a csv or json of files and labels "
    "(names, or numbers). May be given several times.",
)
@click.option(
    "--label-pattern",
    metavar="REGEX",
    help="Labels in the files' names: each named group is a label set, as in '(?P<instrument>[a-z]+)_(?P<pitch>.+)'. "
    "Ready: nsynth (bass_electronic_000-036-075), note (piano_C#3, kick_064; C4 is 60).",
)
@click.option(
    "--vectors",
    multiple=True,
    metavar="[NAME=]FILE",
    help="Numbers of each file: a csv of file and numbers, or a .npy [files, width] with its files' names beside it in "
    ".json or .txt. May be given several times.",
)
@click.option(
    "--label-sets",
    metavar="NAMES",
    help="Label sets to take, in this order; the first of classes is what --include chooses from.  [default: all; of "
    "a table with a column class or label, that one]",
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
@click.option(
    "--beats", is_flag=True, help="Cut long music into clips of one tempo that begin on a beat, stretched where needed."
)
@click.option("--bpm", type=float, show_default="130", metavar="BPM", help="With --beats: the tempo of all clips.")
@click.option("--bpm-min", type=float, show_default="120", metavar="BPM", help="Leave slower music out.")
@click.option("--bpm-max", type=float, show_default="145", metavar="BPM", help="Leave faster music out.")
@click.option(
    "--stride-beats", type=int, show_default="8", metavar="N", help="From the start of one clip to the next one's."
)
@click.option(
    "--bars",
    type=int,
    metavar="N",
    help="Make the clips loops of N bars of four beats, padded to the canvas; otherwise they are as long as it.",
)
@click.option("--trim-start", is_flag=True, help="Leave out what is 60 dB below a file's peak at its start.")
@click.option(
    "--peak",
    "peak_db",
    type=float,
    metavar="DB",
    help="Bring each file's peak to this level (0 is full scale); the whole file's, even if only a part goes in.",
)
@click.option(
    "--fade-out", "fade_out_ms", type=float, default=0.0, metavar="MS", help="Fade out the end of each canvas's sound."
)
@click.option(
    "--dc",
    type=click.Choice(["packed", "dropped"]),
    default="packed",
    show_default=True,
    help="Each frame's mean: in a place that is free (lossless), or lost, the paper's own variant, for comparison.",
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
@click.option(
    "--resume",
    is_flag=True,
    help="Go on where an interrupted build stopped; the archive becomes what it would have been.",
)
@click.option(
    "--executor",
    type=click.Choice(["processes", "dask"]),
    default="processes",
    show_default=True,
    help="Where the work is done: on this machine's cores, or on a dask cluster that shares its storage with it.",
)
@click.option("--scheduler", metavar="ADDRESS", help="The cluster's, such as tcp://10.0.0.1:8786.")
@click.option("--dry-run", is_flag=True, help="Scan, say what would be done, and stop.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@verb
def main(**given: Any) -> int | None:
    """Turn a folder of sounds into an archive of lossless pictures that train.py learns from."""
    archive_verb = asked(given)
    with placed(given, echo) as (here, say):
        if archive_verb is not None:
            return on_archives(archive_verb, here, say)
        make_archive(here, say)
    return None


def echo(lines: Sequence[str]) -> None:
    """Print lines; a heading, which ends in a colon at the margin, stands out."""
    for line in lines:
        shown = line.encode("utf-8", "backslashreplace").decode()
        click.echo(click.style(shown, bold=True) if shown.endswith(":") and shown[:1] != " " else shown)
    sys.stdout.flush()


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave through the same doors as Ctrl-C
    run(main, click.ClickException, click.Abort)
