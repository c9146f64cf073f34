# SPDX-License-Identifier: Apache-2.0
"""Libraries are built once, whole or not at all, whatever happens to the builder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stylegan3.ops.native.build import BuildError, built, cache_folder, digest, loaded, output_of

COUNTING = ["sh", "-c", "echo built >> {log}; sleep {seconds}; echo whole > library.so"]


def counting(log: Path, seconds: float) -> list[list[str]]:
    return [[part.format(log=log, seconds=seconds) for part in COUNTING]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sg3-spect"


def test_a_library_is_built_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    first, second = (built("some", "key", counting(log, 0)) for _ in range(2))
    assert first == second
    assert first.read_text() == "whole\n"
    assert log.read_text().split() == ["built"]


BUILDER = """
import sys
from stylegan3.ops.native.build import built
print(built("some", "key", [["sh", "-c", sys.argv[1]]]))
"""


def builder(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER, script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def test_two_processes_build_once(tmp_path: Path) -> None:
    script = f"echo built >> {tmp_path}/log; sleep 0.5; echo whole > library.so"
    both = [builder(script), builder(script)]
    names = {process.communicate(timeout=60)[0] for process in both}
    assert len(names) == 1
    assert (tmp_path / "log").read_text().split() == ["built"]


def test_a_killed_builder_leaves_neither_a_library_nor_a_lock(tmp_path: Path, cache: Path) -> None:
    process = builder(f"echo begun > {tmp_path}/begun; echo half > library.so; sleep 60")
    deadline = time.monotonic() + 30
    while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list(cache.glob("*.so"))
    assert built("some", "key", counting(tmp_path / "log", 0)).read_text() == "whole\n"


def test_a_failing_compiler_is_quoted_and_leaves_nothing(cache: Path) -> None:
    with pytest.raises(BuildError, match=r"lrelu\.cpp:7: no such thing"):
        built("some", "key", [["sh", "-c", "echo 'lrelu.cpp:7: no such thing' >&2; exit 1"]])
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]


def test_a_compiler_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="g--"):
        output_of(["g--", "--version"], tmp_path)


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.so").write_text("text")
    with pytest.raises(BuildError, match=r"bad\.so could not be loaded"):
        loaded(tmp_path / "bad.so")


def test_another_source_or_flag_is_another_library(tmp_path: Path) -> None:
    (tmp_path / "a.h").write_text("1")
    first = digest([tmp_path / "a.h"], "-O3")
    assert first == digest([tmp_path / "a.h"], "-O3")
    assert first != digest([tmp_path / "a.h"], "-O2")
    (tmp_path / "a.h").write_text("2")
    assert first != digest([tmp_path / "a.h"], "-O3")


def test_a_home_that_cant_be_written_gives_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    folder = cache_folder()
    assert folder.is_dir()
    assert os.access(folder, os.W_OK)
    assert cache_folder() == folder  # the same for this process
