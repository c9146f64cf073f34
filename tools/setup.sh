#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes .venv with everything that the project needs, once; a second call ends at once. Run by `make`.
#   PYTHON    the interpreter to use (else the first of python3, python3.14 ... python3.11 that is new enough)
#   PIP_ARGS  options for pip
# A torch that this interpreter can import already is kept where it is at least TORCH_AT_LEAST (as in pyproject.toml),
# so that the CUDA build of a cloud image is not replaced.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/set-up
TORCH_AT_LEAST="2 10"

say() { printf '%s\n' "$*"; }
fail() { say "set-up: $*" >&2; exit 2; }

key() { cat pyproject.toml constraints.txt tools/setup.sh | cksum; }

# The stamp holds the key of what was installed, then the interpreter it was made with.
is_set_up() {
    [ -f "$stamp" ] && [ "$(sed -n 1p "$stamp")" = "$(key)" ] || return 1
    [ -z "${PYTHON:-}" ] || [ "$(sed -n 2p "$stamp")" = "$(command -v "$PYTHON" || :)" ] || return 1
    "$venv/bin/python" -c '' 2>/dev/null
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import venv, ensurepip' >/dev/null 2>&1; }

find_python() {
    without_venv=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        new_enough "$candidate" || continue
        if has_venv "$candidate"; then
            command -v "$candidate"
            return
        fi
        without_venv=${without_venv:-$candidate}
    done
    if [ -n "$without_venv" ]; then
        fail "$without_venv can't make virtual environments: run 'apt install python3-venv' and try again."
    fi
    if [ -n "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON is not a Python of version 3.11 or newer (it says: $("$PYTHON" --version 2>&1 | head -n 1 || :))."
    fi
    fail "no Python of version 3.11 or newer here (python3 is: $(python3 --version 2>&1 | head -n 1 || :)):" \
        "install one, or name it: make $1 PYTHON=/path/to/python3.12"
}

# Prints the version and the folder of a torch in range that $1 can import; nothing where there is none.
torch_of() {
    "$1" - $TORCH_AT_LEAST <<'PY' 2>/dev/null || :
import re, sys
from pathlib import Path

import torch

found = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
if found >= tuple(int(part) for part in sys.argv[1:3]):
    print(torch.__version__, Path(torch.__file__).parents[1], sep="\n")
PY
}

is_set_up && exit 0

python=$(find_python "${1:-setup}") || exit $?
kept=$(torch_of "$python")
kept_version=$(printf '%s\n' "$kept" | sed -n 1p)
kept_folder=$(printf '%s\n' "$kept" | sed -n 2p)

say "Setting up $venv once, with $("$python" --version) ($python)."
rm -f "$stamp"
if [ -z "$kept_version" ]; then
    "$python" -m venv --clear "$venv"
elif "$python" -c 'import sys; sys.exit(sys.prefix != sys.base_prefix)'; then
    say "torch $kept_version is there already and stays."
    "$python" -m venv --clear --system-site-packages "$venv"
else # the packages of a virtual environment aren't the system's: name their folder
    say "torch $kept_version is there already and stays."
    "$python" -m venv --clear "$venv"
    say "$kept_folder" >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kept-torch.pth"
fi

# constraints.txt, with the torch that stays in place of its own.
{
    if [ -n "$kept_version" ]; then say "torch==$kept_version"; fi
    sed -e "${kept_version:+/^torch==/d}" constraints.txt
} >"$venv/constraints.txt"

needs=$("$venv/bin/python" - <<'PY'
import tomllib

project = tomllib.load(open("pyproject.toml", "rb"))["project"]
print("\n".join(project["dependencies"] + project["optional-dependencies"]["dev"]))
PY
)
printf '%s\n' "$needs" >"$venv/requirements.txt"
quiet=-q
[ ! -t 1 ] || quiet=
# PIP_ARGS is several words: split on purpose.
# shellcheck disable=SC2086
"$venv/bin/python" -m pip install --disable-pip-version-check $quiet ${PIP_ARGS:-} \
    -c "$venv/constraints.txt" -r "$venv/requirements.txt" ||
    fail "pip could not install the packages (its reason stands above); nothing is half set up: the next call starts anew."

{ key; say "$python"; } >"$stamp.part"
mv "$stamp.part" "$stamp"
say "Set up: $("$venv/bin/python" -c 'import torch; print("torch", torch.__version__)')."
