#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Say how good, new and usable the sounds of a network are, from the sounds alone.

\b
Examples:
  python calc_metrics.py --network RUN                                   # its newest snapshot, against its own data
  python calc_metrics.py --network "RUN/*.safetensors" --select kad      # every snapshot, and which is best
  python calc_metrics.py --network RUN --report out/report.html          # a page to look at and to listen to
  python calc_metrics.py --network RUN --data other.zip --metrics all --encoder log-mel --encoder musicnn
"""

import sys
from pathlib import Path
from typing import Any

import click

try:
    from patches import console
    from patches.scores.choose import ENCODERS
    from patches.scores.command import calc_metrics
    from patches.scores.names import DEFAULT, NAMES
    from patches.sent import sent
except KeyboardInterrupt:  # Ctrl-C while the libraries load
    sys.exit(130)

FILE = click.Path(path_type=Path)
DESCRIBES = (
    f"What describes sounds for distances: {', '.join(ENCODERS)}, musicnn, speech, or a TorchScript or ONNX file. "
    "May be given several times.  [default: the first four]"
)


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.argument("more", nargs=-1, metavar="")
@click.option(
    "--network",
    required=True,
    multiple=True,
    metavar="PATH",
    help="Snapshot, a run's directory (its newest), or a quoted pattern. May be given several times.",
)
@click.option(
    "--data",
    metavar="ZIP[,ZIP...]",
    help="What to compare with, as in train.py.  [default: what the run learned]",
)
@click.option(
    "--metrics",
    default=",".join(DEFAULT),
    show_default=True,
    metavar="LIST",
    help=f"all, or some of {', '.join(NAMES)}.",
)
@click.option(
    "--encoder",
    multiple=True,
    metavar="NAME|FILE",
    help=DESCRIBES,
)
@click.option("--inception", metavar="FILE", help="An image network (TorchScript or ONNX), for the FID of pictures.")
@click.option("--seeds", default="0-511", show_default=True, metavar="LIST", help="Sounds to score, a seed each.")
@click.option(
    "--select", metavar="SCORE", help="Name the best snapshot by METRIC, METRIC.FIGURE or METRIC.FIGURE:ENCODER."
)
@click.option("--outdir", metavar="DIR|ADDRESS", help="Also write metric-NAME.jsonl there.")
@click.option("--report", type=FILE, metavar="HTML", help="Also write a page with sounds, pictures, tables and curves.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@console.verb
def main(network: tuple[str, ...], more: tuple[str, ...], **given: Any) -> None:
    # a pattern that the shell spelled out leaves the rest behind the option
    with sent(given.pop("outdir"), click.echo) as (outdir, echo):
        calc_metrics({"network": (*network, *more), "outdir": outdir, **given}, echo)


if __name__ == "__main__":
    console.run(main, click.ClickException, click.Abort)
