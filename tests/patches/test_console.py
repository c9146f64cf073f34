# SPDX-License-Identifier: Apache-2.0
import errno
import re
from pathlib import Path

import click
import pytest

from patches.console import choose_device, one_line, progress, run, verb
from patches.errors import UserError


def raising(error):
    @verb
    def main():
        raise error

    return main


def test_a_users_mistake_is_one_line_with_exit_code_2(capsys):
    with pytest.raises(SystemExit) as leave:
        raising(UserError("--seeds=x: not a number;\n give 0-9"))()
    assert leave.value.code == 2
    assert capsys.readouterr().err == "test_console.py: --seeds=x: not a number; give 0-9\n"


def test_debug_lets_the_error_through():
    with pytest.raises(UserError):
        raising(UserError("bad"))(debug=True)


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError())()


def test_a_missing_file_is_named(capsys, tmp_path):
    @verb
    def main():
        (tmp_path / "none.wav").read_bytes()

    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == f"test_console.py: {tmp_path / 'none.wav'}: No such file or directory\n"


def test_a_full_disk_is_said_so():
    assert "disk is full" in one_line(OSError(errno.ENOSPC, "No space left on device", "out/a.wav"))


def test_too_little_memory_is_said_so():
    torchs_own = RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
    for error in (MemoryError(), torchs_own):
        assert "--batch" in one_line(error)


def test_interrupting_exits_130(capsys):
    with pytest.raises(SystemExit) as leave:
        raising(KeyboardInterrupt())()
    assert leave.value.code == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_debug_is_handed_on_only_where_asked_for():
    @verb
    def asks(debug):
        return debug

    @verb
    def asks_not():
        return "fine"

    assert asks(debug=True) is True
    assert asks_not(debug=True) == "fine"


def test_clicks_own_complaints_take_one_line(capsys, monkeypatch):
    @click.command()
    @click.option("--outdir", required=True)
    @verb
    def main(outdir):
        raise AssertionError("not reached")

    monkeypatch.setattr("sys.argv", ["x"])
    with pytest.raises(SystemExit) as leave:
        run(main, click.ClickException, click.Abort)
    assert leave.value.code == 2
    error = capsys.readouterr().err
    assert "--outdir" in error
    assert error.count("\n") == 1


def test_progress_without_a_terminal_prints_nothing(capsys):
    with progress("sounds", 3) as advance:
        advance()
        advance(2, description="more")
    assert capsys.readouterr() == ("", "")


def test_help_and_what_a_command_returns_end_well(capsys, monkeypatch):
    @click.command()
    def main():
        return 3

    for arguments, code in ((["x", "--help"], 0), (["x"], 3)):
        monkeypatch.setattr("sys.argv", arguments)
        with pytest.raises(SystemExit) as leave:
            run(main, click.ClickException, click.Abort)
        assert leave.value.code == code
    assert "Usage" in capsys.readouterr().out


def test_click_is_the_scripts_alone():
    root = Path(__file__).parents[2]
    files = [file for room in ("spect", "stylegan3", "patches") for file in (root / room).rglob("*.py")]
    assert len(files) > 50
    assert [file.name for file in files if re.search(r"^\s*(import|from) click\b", file.read_text(), flags=re.M)] == []


@pytest.mark.parametrize(
    "name", ["tpu9", "cuda:99", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "meta", "mps", "xpu", "", "CPU"]
)
def test_an_unknown_device_is_refused(name):
    with pytest.raises(UserError, match=r"--device=.*: "):
        choose_device(name)


def test_the_cpu_is_always_there():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda")
