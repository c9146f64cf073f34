#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train a StyleGAN on an archive of sounds (dataset_tool_wav.py makes it), or on plain pictures with --patches=none."""

import sys
from typing import Any

import click

try:
    from patches import console
    from patches.presets import PRESETS
    from patches.runs.command import train
    from patches.runs.precision import NAMES as PRECISIONS
    from patches.scores.names import DEFAULT, NAMES
    from patches.views import KINDS
    from stylegan3.ops.engines import OPS
except KeyboardInterrupt:  # Ctrl-C while the libraries load
    sys.exit(130)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--outdir", help="Where the runs' folders go; or an address, s3://BUCKET/RUNS.", metavar="DIR")
@click.option("--cfg", help="stylegan3-t, stylegan3-r or stylegan2.")
@click.option("--data", help="The archive to learn from; a.zip,b.zip, 'parts/*.zip', s3://BUCKET/a.zip.", metavar="ZIP")
@click.option("--gpus", help="GPUs of this machine to train on, a process each; on a CPU the processes.", type=int)
@click.option("--batch", help="Pictures an iteration, over all GPUs.", type=int)
@click.option("--gamma", help="Weight of R1.", type=float)
@click.option("--preset", help=f"Fill in what isn't given: {', '.join(PRESETS)}.")
@click.option("--cond", help="Learn labels: all, or sets as in instrument,pitch:value.", metavar="BOOL|SETS")
@click.option("--mirror", help="Double the data by x-flips (pictures only).", type=bool, metavar="BOOL")
@click.option("--aug", help="noaug, ada or fixed.  [default: ada]")
@click.option("--augs", help="Augmentations to use, comma-separated.  [default: all that the view bears]")
@click.option("--resume", help="A run, state or snapshot to go on from exactly; auto; latest; a .pkl to fine-tune.")
@click.option("--finetune", help="Begin a new run with the weights of a run, state, snapshot or .pkl.")
@click.option("--freezed", help="First layers of D that stay as they are.", type=int)
@click.option("--p", help="Probability for --aug=fixed.  [default: 0.2]", type=float)
@click.option("--target", help="ADA's target for the mean sign of D(real).  [default: 0.6]", type=float)
@click.option("--batch-gpu", help="Pictures on a GPU at a time.  [default: from free memory]", type=int)
@click.option("--cbase", help="Channels times resolution.  [default: 32768]", type=int)
@click.option("--cmax", help="Most channels of a layer.  [default: 512]", type=int)
@click.option("--glr", help="Learning rate of G.  [default: by --cfg]", type=float)
@click.option("--dlr", help="Learning rate of D.  [default: 0.002]", type=float)
@click.option("--map-depth", help="Layers of the mapping network.  [default: by --cfg]", type=int)
@click.option("--z-dim", help="Numbers of a latent z.  [default: 512]", type=int)
@click.option("--w-dim", help="Numbers of an intermediate latent w.  [default: 512]", type=int)
@click.option("--embed-dim", help="Numbers a label becomes in G and D.  [default: --w-dim; D's width]", type=int)
@click.option("--input-lock", help="StyleGAN3's input: locked against rotation, frequency or both.  [default: none]")
@click.option("--row-features", help="StyleGAN3's input: learned profiles of frequency.  [default: 0]", type=int)
@click.option("--row-gains", help="Profiles from which frequencies get gains at the output.  [default: 0]", type=int)
@click.option("--ema-rampup", help="G_ema's half-life as a share of the run so far.  [default: 0.05]", type=float)
@click.option("--mbstd-group", help="Group of the minibatch stddev.  [default: 4]", type=int)
@click.option("--desc", help="Text at the end of the run's name.")
@click.option(
    "--metrics", help=f"Scores of snapshots: none, all, or {', '.join(NAMES)}.  [default: {','.join(DEFAULT)}]"
)
@click.option(
    "--select", help="The score that compares snapshots, as kad or prdc.recall:log-mel.  [default: the first]"
)
@click.option("--patience", help="End when that score wasn't beaten for so many kimg.  [default: never]", type=float)
@click.option("--kimg", help="Length of the run's life in thousand pictures; +N with --resume.  [default: 25000]")
@click.option("--tick", help="kimg between two lines.  [default: 4]", type=float)
@click.option("--snap", help="Ticks between two snapshots.  [default: 50]", type=int)
@click.option("--seed", help="Seed of everything that is drawn.  [default: 0]", type=int)
@click.option("--precision", help=f"Inside the networks: {', '.join(PRECISIONS)}.  [default: auto, by the device]")
@click.option("--fp32", help="The same as --precision=fp32.", type=bool, metavar="BOOL")
@click.option("--cache", help="Keep all pictures ready for the networks: none, ram or device.  [default: none]")
@click.option("--nobench", help="Choose nothing by timing: algorithms, layouts, graphs.", type=bool, metavar="BOOL")
@click.option("--workers", help="Batches read ahead.  [default: 3]", type=int)
@click.option("--device", help="auto, cpu, cuda, cuda:1.  [default: auto]")
@click.option("--ops", help=f"How networks are computed: {', '.join(OPS)} (kernels or an error).  [default: auto]")
@click.option("--view", help=f"The picture to learn: auto, {', '.join(sorted(KINDS))}.  [default: auto]")
@click.option("--view-args", help="Parameters of the view, such as window=1024,hop=256.", metavar="K=V,...")
@click.option("--scaling", help="compand, linear (the paper's), standard, standard-one, unit.  [default: the view's]")
@click.option("--patches", help="sound, none, or names from patches/README.md.  [default: sound]")
@click.option("--keep-states", help="States that keep their optimisers.  [default: 3]", type=int)
@click.option("--time-limit", help="Leave cleanly before this time is over, such as 5h50m.")
@click.option("-n", "--dry-run", help="Print the options and stop.", is_flag=True)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@console.verb
def main(**given: Any) -> None:
    """Train a network on sounds.

    \b
    As in the paper:
      python train.py --outdir=trained_networks/europa_net2 --gpus=1 --batch=8 --gamma=8
        --data=datasets/europa.zip --cfg=stylegan3-t --kimg=10 --tick=1 --snap=1 --metrics=None
    Small, on a CPU:
      python train.py --preset=tiny --data=datasets/mine.zip --outdir=trained_networks/mine
    """
    train(given, click.echo)


if __name__ == "__main__":
    console.run(main, click.ClickException, click.Abort)
