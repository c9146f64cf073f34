#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make demo` trains, number by number: 100 synthesised notes of 0.6 s, their log mel pictures of 64x64 at 8 kHz
# (the view mel: levels of left and right and how they lie to each other), StyleGAN2, 7 kimg.
#
#   sh recipes/2026-11-20-demo-mel.sh FOLDER      from the root of the tree, with .venv active; FOLDER is made
#
# Cost:   about 25 s/kimg on one thread of a 2-core machine, 0.4 GB; no GPU.
# Result: printed by the last command, as measured on 2026-11-20 with torch 2.13 on a CPU:
#
#                                    trained   untrained   noise with the data's spectrum
#   r of the mean |y| picture           .955        .315      (after 2.8 kimg, on a machine that was busy beside)
#   KAD on log-mel statistics            5.6        50.9   116.8     (one half of the data to the other: -0.8)
#   KAD on waveform features            29.9       110.9   152.1     (-1.3)
#
# What it sounds like: envelopes, levels, brightness and stereo width are those of notes; tones blur into noise.
set -eu
out=${1:?name a new folder}
[ ! -e "$out" ] || { echo "$out is there already: name a new folder" >&2; exit 2; }
export OMP_NUM_THREADS=1

python -m examples.synth "$out/sounds" --count=100 --seconds=0.614375 --sample-rate=8000 --seed=0
python dataset_tool_wav.py --source="$out/sounds" --dest="$out/sounds.zip" --resolution=64x64 --sample-rate=8000 --labels=folders
python train.py --outdir="$out/training" --data="$out/sounds.zip" --cfg=stylegan2 --gpus=1 --batch=4 --gamma=10 --kimg=7 --tick=0.5 --snap=4 --cbase=512 --cmax=64 --map-depth=2 --glr=0.006 --dlr=0.012 --ema-rampup=0.1 --view=mel --scaling=standard --aug=noaug --seed=0 --device=cpu
python gen_audio.py --network="$out/training" --outdir="$out/new_sounds" --seeds=0-7
python -m examples.check_demo "$out"
