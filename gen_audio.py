#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make sounds from a trained network: a wav, a picture and a recipe for each seed.

\b
Examples:
  python gen_audio.py --network RUN/network-snapshot-000010.safetensors --outdir out --seeds 0-9
  python gen_audio.py --network "RUN/*.safetensors" --outdir out --seeds 0-9    # every snapshot, and one table
  python gen_audio.py --network RUN --outdir again --recipe out/seed0003.wav    # the same sound again
  python gen_audio.py --network RUN --outdir kit --seeds 0-7 --class kick:0.7,snare:0.3    # or all, --pitch C#3
  python gen_audio.py --network RUN --outdir mix --style-rows 0-4 --style-cols 5-9 --style-layers 0-6
  python gen_audio.py --network RUN --outdir way --morph 12:40:16 --video       # 16 sounds from 12 to 40, and an mp4
"""

import os
import signal
import sys

if __name__ == "__main__":  # while the libraries load there is nothing to tidy: leave quietly, at once
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # nohup and `&` ignore Ctrl-C
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))

import time
from pathlib import Path
from typing import Any

import click

from patches import generate
from patches.console import choose_device, progress, run, verb
from patches.sent import sent

FILE = click.Path(path_type=Path)
HELP = {
    "network": "Snapshot (.safetensors; a name in .pkl finds the one beside it), a run's directory (its newest), "
    "or a quoted pattern; s3://, sftp://, ... of a snapshot or a run. May be given several times.",
    "outdir": "Where the files go. Several networks get a folder each, and one table.png.",
    "seeds": "Like 0-9 or 1,2,5-8.",
    "rows": "Style mixing: a grid of sounds, the W of these seeds ...",
    "cols": "... with the W of these seeds in the layers of --style-layers; wav for each cell, one png.",
    "layers": "Layers that take the column's style, like 0-6; 0 is the coarsest.",
    "morph": "Sounds on the way between seeds, linear in W: FIRST:LAST:COUNT, or by way of others, 12:40:77:16.",
    "video": "Also an mp4 of all sounds in a row, each with its picture and a playhead (needs imageio-ffmpeg).",
    "trunc": "Truncation psi: 1 is none, 0.7 tamer, 0 the average sound.  [default: 1]",
    "class": "Class, by name or index, of a network trained with classes; a mix, kick:0.7,snare:0.3; or all. Of "
    "several sets: instrument=bass, and the option once for each.",
    "pitch": "MIDI number or note (C#3; C4 is 60) of a network trained with pitches.",
    "value": "NAME=NUMBER of a network trained with values; what isn't given is at its mean. May be given several "
    "times.",
    "vector": "[NAME=]FILE.npy: one row of numbers for a network trained with vectors.",
    "noise": "StyleGAN2's noise: random (by each seed), const (one for all), none.  [default: random]",
    "translate": "Shift StyleGAN3's picture right (later) and down (lower), in its shorter sides.  [default: 0,0]",
    "rotate": "Turn StyleGAN3's picture anticlockwise.  [default: 0]",
    "subtype": "Sample format; FLOAT keeps a peak above full scale.  [default: PCM_24]",
    "trim": "Cut the tail below -60 dB of the sound's peak; loops keep their length.  [default: no-trim]",
    "npy": "Also write the lossless picture, float32 [F, T, C], before any change of level.",
    "recipe": "A .wav or .json made before: the same sound again, to the bit on the same machine. "
    "May be given several times.",
    "batch": "Sounds computed at once.  [default: 1 on the CPU, 8 on a GPU]",
    "device": "auto, cpu, cuda or cuda:N.",
    "ops": "How the network is computed; fused: kernels, or an error.",
}


@click.command(help=__doc__, context_settings={"max_content_width": 120})
@click.argument("more", nargs=-1, metavar="")
@click.option("--network", required=True, multiple=True, metavar="PATH", help=HELP["network"])
@click.option("--outdir", required=True, metavar="DIR|ADDRESS", help=HELP["outdir"])
@click.option("--seeds", metavar="LIST", help=HELP["seeds"])
@click.option("--style-rows", metavar="LIST", help=HELP["rows"])
@click.option("--style-cols", metavar="LIST", help=HELP["cols"])
@click.option("--style-layers", metavar="LIST", help=HELP["layers"])
@click.option("--morph", metavar="A:B:COUNT", help=HELP["morph"])
@click.option("--video", is_flag=True, help=HELP["video"])
@click.option("--trunc", "--psi", "psi", type=float, metavar="PSI", help=HELP["trunc"])
@click.option("--class", "classes", multiple=True, metavar="[SET=]NAME", help=HELP["class"])
@click.option("--pitch", metavar="NOTE", help=HELP["pitch"])
@click.option("--value", "values", multiple=True, metavar="NAME=NUMBER", help=HELP["value"])
@click.option("--vector", "vectors", multiple=True, metavar="[NAME=]FILE", help=HELP["vector"])
@click.option("--noise-mode", type=click.Choice(generate.NOISE_MODES), help=HELP["noise"])
@click.option("--translate", metavar="X,Y", help=HELP["translate"])
@click.option("--rotate", type=float, metavar="DEGREES", help=HELP["rotate"])
@click.option("--subtype", type=click.Choice(generate.SUBTYPES), help=HELP["subtype"])
@click.option("--trim/--no-trim", default=None, help=HELP["trim"])
@click.option("--npy", is_flag=True, help=HELP["npy"])
@click.option("--recipe", multiple=True, type=FILE, metavar="FILE", help=HELP["recipe"])
@click.option("--batch", type=click.IntRange(min=1), help=HELP["batch"])
@click.option("--device", default="auto", show_default=True, help=HELP["device"])
@click.option("--ops", type=click.Choice(generate.OPS), default="auto", show_default=True, help=HELP["ops"])
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@verb
def main(device: str, outdir: str, network: tuple[str, ...], more: tuple[str, ...], **options: Any) -> None:
    start = time.monotonic()
    names = (*network, *more)  # a pattern that the shell spelled out leaves the rest behind the option
    with sent(outdir, click.echo) as (folder, echo):
        assert folder is not None
        plan = generate.plan(device=choose_device(device), outdir=folder, network=names, **options)
        for line in plan.announcement():
            echo(line)
        with progress("sounds", plan.sounds) as advance:
            outcome = plan.run(advance)
        for line in generate.summary(outcome, folder, time.monotonic() - start):
            echo(line)


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Process 1, as in a container, ends at SIGTERM only where it says so; files half written are removed on the way.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    run(main, click.ClickException, click.Abort)
