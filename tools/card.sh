#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What only a CUDA card can show of stylegan3/: its tests there, the operations' doctor, speeds of trainings and of
# operations. Each step has a time limit and a log of its own; needs torch, numpy and pytest, no set-up.
#   sh tools/card.sh FOLDER     logs go there
#   PYTHON                      the interpreter that has torch (else python3)
#   STEPS                       some of: doctor tests train ops networks (else all, about a quarter of an hour)
set -u
out=${1:?"usage: sh tools/card.sh FOLDER"}
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$(dirname "$0")/.." || exit 2
python=${PYTHON:-python3}
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    echo "card.sh: $python has no torch that finds a CUDA card" >&2
    exit 2
fi
mkdir -p "$out" || exit 2
export PYTHONUNBUFFERED=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1

step() {
    name=$1 limit=$2
    shift 2
    case " ${STEPS:-doctor tests train ops networks} " in *" $name "*) ;; *) return ;; esac
    began=$(date +%s)
    timeout "$limit" "$@" >"$out/$name.log" 2>&1
    echo "$name: exit $? after $(($(date +%s) - began)) s of at most $limit, $out/$name.log"
    tail -n 3 "$out/$name.log"
}

step doctor 120 "$python" -m stylegan3.ops.doctor
step tests 180 "$python" -m pytest -m gpu tests/stylegan3
step train 240 "$python" bench/train.py --device cuda --trainings stylegan2:256:16,stylegan3-t:512:32 \
    --precisions bf16,fp16 --skip-reference --page "$out/bench.md"
step ops 180 "$python" bench/ops.py --device cuda --size 512 --batch 8 --page "$out/bench.md"
step networks 180 "$python" bench/networks.py --device cuda --size 512 --batch 8 --page "$out/bench.md"
