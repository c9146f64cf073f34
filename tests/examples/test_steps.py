# SPDX-License-Identifier: Apache-2.0
"""The demonstration's steps: done ones are kept, changed ones start over, signals reach the scripts."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from examples.steps import RECORD, ROOT, Step, run_steps


def writer(out: Path, name: str, **settings: object) -> Step:
    """A step that appends one line to a file a call."""
    made = out / f"{name}.txt"
    code = f"import pathlib; p = pathlib.Path({str(made)!r}); p.open('a').write('x')"
    return Step(name, settings, made, ["-c", code])


def lines(step: Step) -> int:
    return len(step.made.read_text())


def test_a_second_call_keeps_what_is_done(tmp_path: Path, capsys):
    step = writer(tmp_path / "out", "first", count=1)
    assert run_steps([step], tmp_path / "out")["first"] > 0
    assert run_steps([step], tmp_path / "out") == {"first": 0.0}
    assert lines(step) == 1
    assert "kept from last time" in capsys.readouterr().out


def test_changed_settings_start_the_step_over(tmp_path: Path):
    out = tmp_path / "out"
    run_steps([writer(out, "first", count=1)], out)
    changed = writer(out, "first", count=2)
    assert run_steps([changed], out)["first"] > 0
    assert lines(changed) == 1  # what the old settings made is gone


def test_fresh_starts_over_and_a_lost_result_is_made_again(tmp_path: Path):
    out = tmp_path / "out"
    step = writer(out, "first")
    run_steps([step], out)
    assert run_steps([step], out, fresh=True)["first"] > 0
    step.made.unlink()
    assert run_steps([step], out)["first"] > 0


def test_a_failed_step_ends_with_its_exit_code_and_runs_again(tmp_path: Path, capfd):
    out = tmp_path / "out"
    failing = Step("first", {}, out / "first.txt", ["-c", "raise SystemExit(3)"])
    with pytest.raises(SystemExit) as stopped:
        run_steps([failing], out)
    assert stopped.value.code == 3
    assert "exit code 3" in capfd.readouterr().err
    assert run_steps([writer(out, "first")], out)["first"] > 0


def test_a_folder_of_something_else_is_never_touched(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(SystemExit, match="not made by the demonstration"):
            run_steps([writer(tmp_path, "first")], tmp_path, fresh=fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_script_end_by_itself(tmp_path: Path, number: signal.Signals):
    out = tmp_path / "out"
    script = textwrap.dedent(f"""
        import signal, sys, time
        from pathlib import Path
        def end(*_):
            Path({str(out / "saved")!r}).touch()
            sys.exit(0)
        for s in (signal.SIGINT, signal.SIGTERM):
            signal.signal(s, end)
        print("ready", flush=True)
        time.sleep(60)
    """)
    parent = textwrap.dedent(f"""
        from pathlib import Path
        from examples.steps import Step, run_steps
        out = Path({str(out)!r})
        run_steps([Step("long", {{}}, out / "made", ["-c", {script!r}])], out)
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    while process.stdout.readline().strip() != "ready":
        assert process.poll() is None
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does: to all of them
    else:
        process.send_signal(number)
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 128 + number
    assert (out / "saved").exists()
    assert "`make demo` goes on from here" in said
    assert '"seconds": null' in (out / RECORD).read_text()
