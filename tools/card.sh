#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What only a CUDA card can show of stylegan3/: its tests there, the operations' doctor, speeds of trainings, operations
# and networks. Each step has a time limit; all needs torch, triton, numpy and pytest, no set-up.
#   sh tools/card.sh FOLDER     FOLDER/card.log and pages with their figures
#   PYTHON                      the interpreter that has torch (else python3)
#   STEPS                       some of: doctor stylegan2 stylegan3 tests kernels ops networks
# A fresh machine builds, tests and tunes kernels first: doctor does it for those after it, and goes with them.
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
status=0
export PYTHONUNBUFFERED=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1

step() {
    name=$1 limit=$2
    shift 2
    case " ${STEPS:-doctor stylegan2 stylegan3 tests kernels ops networks} " in *" $name "*) ;; *) return ;; esac
    began=$(date +%s)
    echo "== $name: $*" >>"$out/card.log"
    timeout "$limit" "$@" >>"$out/card.log" 2>&1
    code=$?
    [ "$code" -eq 0 ] || status=1
    echo "$name: exit $code after $(($(date +%s) - began)) s of at most $limit"
    tail -n 3 "$out/card.log" | sed "s,^,    ,"
}

training() {
    step "$1" "$2" "$python" bench/train.py --device cuda --trainings "$3" --precisions fp16 \
        --skip-reference --page "$out/$1.md"
}

step doctor 300 "$python" -m stylegan3.ops.doctor
training stylegan2 150 stylegan2:256:16
training stylegan3 300 stylegan3-t:512:32
# shellcheck disable=SC2046  # a word a file: others need more than a bare machine has
step tests 300 "$python" -m pytest -m gpu $(grep -l mark.gpu -r tests/stylegan3 --include='test_*.py')
step kernels 300 "$python" -m pytest tests/stylegan3/kernels
step ops 180 "$python" bench/ops.py --device cuda --size 512 --batch 8 --page "$out/bench.md"
step networks 200 "$python" bench/networks.py --device cuda --size 512 --batch 8 --page "$out/bench.md"
exit "$status"
