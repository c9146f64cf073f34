# SPDX-License-Identifier: Apache-2.0
"""The Dockerfile against the tree: paths exist, RUN lines run, python is process 1, signals reach train.py."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDS_ROOT = ("chown", "useradd", "apt-get")


def instructions() -> list[tuple[str, str]]:
    """(instruction, its arguments), continued lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def copied() -> list[str]:
    return [source for rest in of("COPY") for source in shlex.split(rest)[:-1]]


def test_every_copied_path_is_in_the_tree():
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def test_dockerignore_lets_exactly_what_is_copied_through():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(copied())


def test_every_package_that_scripts_import_is_copied():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"examples", "tests", "bench"}
    assert packages <= set(copied())


def test_the_image_is_pinned_and_brings_a_torch_in_range():
    (image,) = [rest.split("=", 1)[1] for rest in of("ARG") if rest.startswith("TORCH_IMAGE=")]
    found = re.fullmatch(r"pytorch/pytorch:(\d+)\.(\d+)\.\d+-cuda[\d.]+-cudnn9-runtime", image)
    assert found is not None
    assert (int(found[1]), int(found[2])) >= (2, 10)
    assert of("FROM") == ["${TORCH_IMAGE}"]


def test_entry_point_is_in_exec_form_and_the_user_is_not_root():
    (entry,) = of("ENTRYPOINT")
    assert json.loads(entry) == ["python"]
    assert (ROOT / json.loads(of("CMD")[0])[0]).exists()
    assert of("USER") == ["${UID}"]
    names = [name for name, _ in instructions()]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name == "RUN")


def test_caches_lie_on_the_mounted_folder():
    (environment,) = of("ENV")
    values = dict(pair.split("=", 1) for pair in shlex.split(environment))
    (volume,) = of("VOLUME")
    for name in ("HOME", "XDG_CACHE_HOME", "TORCH_EXTENSIONS_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        assert values[name].startswith(volume)


def test_run_lines_run_in_a_clean_directory(tmp_path: Path):
    """COPY and RUN in their order, as the build does them; the packages are here already, so pip needs no net."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    home = tmp_path / "build"
    home.mkdir()
    environment = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}", "PIP_NO_INDEX": "1"}
    environment |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "OMP_NUM_THREADS": "1"}
    ran = 0
    for name, rest in instructions():
        if name == "COPY":
            *sources, target = shlex.split(rest)
            for source in map(Path, sources):
                if (ROOT / source).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / source, home / target, dirs_exist_ok=True, ignore=ignored)
                else:
                    shutil.copy(ROOT / source, home / target)
        elif name == "RUN" and not any(word in rest for word in NEEDS_ROOT):
            ended = subprocess.run(["sh", "-c", rest], cwd=home, env=environment, text=True, capture_output=True)
            assert ended.returncode == 0, f"RUN {rest}\n{ended.stdout}{ended.stderr}"
            ran += 1
    assert ran == 4
    assert (home / "pinned.txt").read_text().startswith("torch==")
