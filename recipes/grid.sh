#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The grid of ElectroGAN (seed 001, table 1): learning rate {.001, .002} x gamma {1, 5, 10}, one run a cell.
#
#   DATA=datasets/mixsets.zip bash recipes/grid.sh                         # with an environment where train.py runs
#   DATA=datasets/mine.zip PRESET=tiny KIMG=50 bash recipes/grid.sh --aug=noaug      # what follows goes to train.py
#
#   variable  default                  meaning
#   DATA      (must be given)          the archive; build it with --holdout=0.1, so that scores have sounds of their own
#   OUT       trained_networks/grid    one folder for all runs, and for grid.md and grid.svg
#   PRESET    electrogan               the settings that all cells share (docs/presets.md)
#   RATES     .001 .002                learning rates, of G and D alike
#   GAMMAS    1 5 10                   weights of R1
#   KIMG      the preset's             length of each run
#   SOUNDS    200                      sounds of each snapshot that are scored
#   PYTHON    python                   the interpreter
#
# Ctrl-C saves the run in progress and leaves; the same command goes on where it stopped, and trains and scores nothing
# twice. A cell that fails (a loss that isn't finite) is told, and the others are trained.
set -u
: "${DATA:?name the archive: DATA=datasets/mine.zip bash recipes/grid.sh}"
OUT=${OUT:-trained_networks/grid} PRESET=${PRESET:-electrogan} RATES=${RATES:-.001 .002} GAMMAS=${GAMMAS:-1 5 10}
KIMG=${KIMG:-} SOUNDS=${SOUNDS:-200} PYTHON=${PYTHON:-python}
tree=$(cd "$(dirname "$0")/.." && pwd)

child='' stopped='' failed=''
stop() {
    stopped=yes
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}
trap stop INT TERM HUP

# In the background, where Ctrl-C doesn't reach it: `stop` hands every signal on exactly once.
run() {
    "$PYTHON" "$@" &
    child=$!
    wait "$child"
    code=$?
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
        code=$?
    done
    child=''
    [ -z "$stopped" ] || { echo "grid: stopped; the same command goes on from here" >&2; exit 130; }
    return "$code"
}

train() {
    rate=$1 gamma=$2
    shift 2
    run "$tree/train.py" --preset="$PRESET" --data="$DATA" --outdir="$OUT" --resume=auto --desc="lr$rate" \
        --glr="$rate" --dlr="$rate" --gamma="$gamma" ${KIMG:+--kimg="$KIMG"} "$@"
}

train "${RATES%% *}" "${GAMMAS%% *}" "$@" --dry-run >/dev/null || exit # a mistake is told once, before any work
for rate in $RATES; do
    for gamma in $GAMMAS; do
        echo "grid: learning rate $rate, gamma $gamma"
        train "$rate" "$gamma" "$@" || failed="$failed $rate/$gamma"
    done
done
run "$tree/recipes/grid_table.py" "$OUT" --data="$DATA" --sounds="$SOUNDS" || exit
[ -z "$failed" ] || { echo "grid: these cells failed:$failed" >&2; exit 1; }
