# SPDX-License-Identifier: Apache-2.0
"""Runs the steps of the demonstration as processes of their own and remembers which are done.

A step that ended before with the same settings is kept; one whose settings have changed starts over, and so does all
that depends on it. The record of it is a small json file in the demonstration's folder.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORD = "demo.json"


@dataclass(frozen=True)
class Step:
    """One step.

    settings: all that its result depends on (JSON values); made: the file or folder that it makes; command: arguments
    of python; again: run it also where it is done.
    """

    name: str
    settings: dict[str, object]
    made: Path
    command: list[str]
    again: bool = False


def run_steps(steps: Sequence[Step], out: Path, *, fresh: bool = False) -> dict[str, float]:
    """Run what isn't done yet and return the seconds that each step took (0 where it was kept)."""
    if fresh:
        clear(out)
    record = _load(out)
    out.mkdir(parents=True, exist_ok=True)
    _save(out, record)
    taken: dict[str, float] = {}
    for number, step in enumerate(steps, 1):
        wanted = json.loads(json.dumps(step.settings))
        entry = record.setdefault(step.name, {"settings": wanted, "seconds": None})
        if entry["settings"] != wanted:
            print(f"\nThe settings of '{step.name}' have changed: it starts over.")
            _remove(step.made)
            entry.update(settings=wanted, seconds=None)
        if entry["seconds"] is not None and step.made.exists() and not step.again:
            print(f"\n[{number}/{len(steps)}] {step.name}: kept from last time (`make demo ARGS=--fresh` starts over)")
            taken[step.name] = 0.0
            continue
        _save(out, record)
        print(f"\n[{number}/{len(steps)}] {step.name}: python {shlex.join(step.command)}\n", flush=True)
        taken[step.name] = run_command(step.command)
        entry["seconds"] = round(taken[step.name], 2)
        _save(out, record)
    return taken


def run_command(command: Sequence[str]) -> float:
    """Run a script of this project with its output on the screen and return the seconds it took.

    Ctrl-C reaches the script too (it saves and ends by itself); SIGTERM is handed on. Either ends the demonstration.

    Raises: SystemExit with the script's exit code where that isn't 0, and with 128 + the signal after a signal.
    """
    begun = time.monotonic()
    signals: list[int] = []
    started: list[subprocess.Popen[bytes]] = []

    def hand_on(number: int, _frame: object) -> None:
        signals.append(number)
        if number == signal.SIGTERM:
            for process in started:
                process.terminate()

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        started.append(subprocess.Popen([sys.executable, *command], cwd=ROOT))
        code = started[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if signals:
        print("\nStopped. `make demo` goes on from here; `make demo ARGS=--fresh` starts over.")
        raise SystemExit(128 + signals[0])
    if code != 0:
        print(f"\nThis step ended with exit code {code}; its message stands above.", file=sys.stderr)
        raise SystemExit(code if code > 0 else 1)
    return time.monotonic() - begun


def clear(out: Path) -> None:
    """Remove what an earlier demonstration made.

    Raises: SystemExit where the folder holds something else.
    """
    if out.exists() and any(out.iterdir()):
        if not (out / RECORD).exists():
            raise SystemExit(f"{out} was not made by the demonstration: name an empty or a new folder with --out.")
        shutil.rmtree(out)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _load(out: Path) -> dict[str, dict]:
    try:
        return json.loads((out / RECORD).read_text())
    except FileNotFoundError:
        clear(out)  # refuses a folder of something else
        return {}
    except json.JSONDecodeError as error:
        raise SystemExit(f"{out / RECORD} is damaged ({error}): remove {out}, or start over with --fresh.") from error


def _save(out: Path, record: dict[str, dict]) -> None:
    part = out / f"{RECORD}.part"
    part.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    os.replace(part, out / RECORD)
