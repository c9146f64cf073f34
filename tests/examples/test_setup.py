# SPDX-License-Identifier: Apache-2.0
"""tools/setup.sh: once, from constraints.txt, with a torch that is there kept. Run against stand-ins for Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Stands in for an interpreter: makes a .venv of copies of itself, writes down what pip is asked for.
STAND_IN = r"""#!/bin/sh
case "$*" in
    "-m venv "*) for last; do :; done; mkdir -p "$last/bin"; echo "$*" >"$last/made-with"; cp "$0" "$last/bin/python" ;;
    "-m pip "*) echo "$*" >>pip.log; [ ! -f pip-fails ] ;;
    "--version") echo "Python {version}" ;;
    *"version_info"*) exit {too_old} ;;
    *"import venv"*) exit {no_venv} ;;
    "- "*) cat >/dev/null; printf '{torch}' ;;
    *"torch.__version__"*) echo "torch stand-in" ;;
    *"find_spec"*) echo True ;;
    *"sys.prefix"*) exit 0 ;;
    "-c ") exit 0 ;;
    *) exec "{real}" "$@" ;;
esac
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tools"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "sed", "cat", "cksum", "mkdir", "cp", "rm", "mv", "head", "printf", "dirname", "make"):
        found = shutil.which(tool)
        if found is None:
            pytest.skip(f"no {tool} here")
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def stand_in(tree: Path, name: str = "python3", version: str = "3.12.1", *, venv: bool = True, torch: str = "") -> None:
    too_old = int(tuple(map(int, version.split(".")[:2])) < (3, 11))
    values = {"version": version, "too_old": too_old, "no_venv": int(not venv), "torch": torch, "real": sys.executable}
    text = STAND_IN
    for key, value in values.items():
        text = text.replace("{" + key + "}", str(value))
    path = tree / "bin" / name
    path.write_text(text)
    path.chmod(0o755)


def set_up(tree: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(tree / "bin"), "HOME": str(tree)} | variables
    return subprocess.run(
        [tree / "bin" / "make", "setup"], cwd=tree, env=environment, text=True, capture_output=True, timeout=60
    )


def pip_calls(tree: Path) -> list[str]:
    log = tree / "pip.log"
    return log.read_text().splitlines() if log.exists() else []


def test_a_second_run_sets_nothing_up_again(tree: Path):
    stand_in(tree)
    assert "once" in set_up(tree).stdout
    again = set_up(tree)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(pip_calls(tree)) == 1


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_changed_versions_set_up_again(tree: Path, name: str):
    stand_in(tree)
    set_up(tree)
    with (tree / name).open("a") as file:
        file.write("\n# changed\n")
    set_up(tree)
    assert len(pip_calls(tree)) == 2


def test_another_interpreter_sets_up_again_but_its_absence_does_not(tree: Path):
    stand_in(tree)
    stand_in(tree, "python3.12")
    set_up(tree, PYTHON="python3.12")
    set_up(tree)
    assert len(pip_calls(tree)) == 1
    set_up(tree, PYTHON="python3")
    assert len(pip_calls(tree)) == 2


def test_pip_gets_the_pinned_versions_and_the_users_options(tree: Path):
    stand_in(tree)
    set_up(tree, PIP_ARGS="--no-cache-dir --retries 1")
    assert "--no-cache-dir --retries 1" in pip_calls(tree)[0]
    assert "\ntorch==2.13.0\n" in (tree / ".venv/constraints.txt").read_text()


def test_a_torch_in_range_is_kept(tree: Path):
    stand_in(tree, torch=r"2.10.0+cu128\n/usr/lib/python3/dist-packages\n")
    assert "torch 2.10.0+cu128 is there already and stays" in set_up(tree).stdout
    pins = [line for line in (tree / ".venv/constraints.txt").read_text().splitlines() if line.startswith("torch==")]
    assert pins == ["torch==2.10.0+cu128"]
    assert "--system-site-packages" in (tree / ".venv/made-with").read_text()


def test_without_a_torch_the_environment_is_closed(tree: Path):
    stand_in(tree)
    set_up(tree)
    assert "--system-site-packages" not in (tree / ".venv/made-with").read_text()


def test_an_old_python3_is_passed_over_for_a_newer_one(tree: Path):
    stand_in(tree, version="3.9.2")
    stand_in(tree, "python3.12")
    assert "python3.12)" in set_up(tree).stdout


def test_without_a_new_enough_python_one_line_says_so(tree: Path):
    stand_in(tree, version="3.9.2")
    ended = set_up(tree)
    assert ended.returncode != 0
    assert "no Python of version 3.11 or newer here (python3 is: Python 3.9.2)" in ended.stderr
    assert not (tree / ".venv").exists()


def test_a_named_interpreter_that_is_too_old_is_refused_by_name(tree: Path):
    stand_in(tree)
    stand_in(tree, "python3.9", version="3.9.2")
    assert "PYTHON=python3.9 is not a Python of version 3.11 or newer" in set_up(tree, PYTHON="python3.9").stderr


def test_a_missing_venv_module_names_the_package(tree: Path):
    stand_in(tree, venv=False)
    assert "apt install python3-venv" in set_up(tree).stderr


def test_a_failed_installation_starts_anew_next_time(tree: Path):
    stand_in(tree)
    (tree / "pip-fails").touch()
    assert "pip could not install" in set_up(tree).stderr
    os.unlink(tree / "pip-fails")
    assert set_up(tree).returncode == 0
    assert len(pip_calls(tree)) == 2


def test_constraints_pin_every_requirement_of_the_project():
    import re
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {line.split("==")[0].lower() for line in lines}
    assert all("==" in line for line in lines)
    assert {re.split(r"[<>=\[]", name)[0].lower() for name in wanted} <= pinned
