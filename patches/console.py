# SPDX-License-Identifier: Apache-2.0
"""What all scripts share at the terminal: one line for a user's mistake, progress only where someone watches.

    @click.command()
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @verb
    def main(...): ...

    if __name__ == "__main__":
        run(main, click.ClickException, click.Abort)

Exit codes: 0 done, 2 a mistake of the user's (or of his disk), 130 interrupted; anything else is a bug's traceback.
"""

import errno
import functools
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import torch

from patches.errors import ONE_LINE_ERRORS, UserError
from stylegan3.ops.native.memory import keep_freed

EXIT_MISTAKE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count
SPEED_SECONDS = 600.0  # a bar's time left is told from so long a past: steps may take minutes

Advance = Callable[..., None]


def script_name(function: Callable[..., Any]) -> str:
    """Name the file that a script's main function stands in."""
    return Path(inspect.unwrap(function).__globals__.get("__file__", sys.argv[0])).name


def one_line(error: BaseException) -> str | None:
    """Say in one line what went wrong, or None where the error is a bug and deserves its traceback."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, ONE_LINE_ERRORS):
        return _flat(str(error))
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "DefaultCPUAllocator" in str(error):
        return f"out of memory: take a smaller --batch or --batch-gpu ({_flat(str(error))[:120]})"
    if isinstance(error, OSError):
        return _of_system(error)
    return None


def _of_system(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename is not None else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{place}the disk is full; nothing half written was left, free some space and run again"
    reason = error.strerror or _flat(str(error)) or type(error).__name__
    return f"{place}{reason}"


def _flat(message: str) -> str:
    return " ".join(line.strip() for line in message.splitlines() if line.strip())


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the errors that a person can mend into one line `script: message` on stderr and an exit code.

    The wrapped function is called without `debug` unless it asks for it by name.

    Raises:
        SystemExit: with code 2 for a mistake, 130 when interrupted; with `debug` the error itself goes on.
    """
    wants_debug = "debug" in inspect.signature(function).parameters

    @functools.wraps(function)
    def wrapped(*args: Any, debug: bool = False, **options: Any) -> Any:
        if wants_debug:
            options["debug"] = debug
        try:
            return function(*args, **options)
        except BrokenPipeError:
            silence_stdout()
            raise SystemExit(0) from None
        except (Exception, KeyboardInterrupt) as error:
            _leave(script_name(function), error, debug)
            raise

    return wrapped


def _leave(name: str, error: BaseException, debug: bool) -> None:
    line = one_line(error)
    if line is None or (debug and not isinstance(error, KeyboardInterrupt)):
        return
    print(f"{name}: {line}", file=sys.stderr)
    raise SystemExit(EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_MISTAKE) from None


def silence_stdout() -> None:
    """Let what is still printed go nowhere, since nobody reads it any more."""
    # the reader is gone (`| head`): without this the interpreter complains once more at its exit
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Complaint(Protocol):
    """What a command line library raises at an unknown option or a missing one, as click.ClickException is."""

    def format_message(self) -> str: ...


def run(command: Any, complaint: type[Exception], abort: type[Exception]) -> None:
    """Run a script's click command so that click's own complaints take one line too.

    Args:
        complaint: click.ClickException, a `Complaint`.
        abort: click.Abort. Both are handed in, since click is the scripts' alone.
    """
    try:
        code = command.main(standalone_mode=False)
    except complaint as error:
        told = cast(Complaint, error).format_message()
        print(f"{script_name(command.callback)}: {_flat(told)} (see --help)", file=sys.stderr)
        code = EXIT_MISTAKE
    except (abort, KeyboardInterrupt):
        print(f"{script_name(command.callback)}: interrupted", file=sys.stderr)
        code = EXIT_INTERRUPTED
    except SystemExit as left:
        code = left.code
    code = code if isinstance(code, int) else 0
    if "RANK" in os.environ:  # one of several: what is left of torch's exchange would abort it while Python ends
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


@contextmanager
def progress(description: str, total: int | None, unit: str = "", *, done: int = 0) -> Iterator[Advance]:
    """Show a bar on stderr where a terminal is attached, and nothing elsewhere.

    What is printed meanwhile appears above the bar; stdout that goes elsewhere is left alone.

    Args:
        done: where the bar begins.

    Yields:
        advance(steps=1, description=None): move on; thread-safe.
    """
    if not sys.stderr.isatty():
        yield lambda steps=1, description=None: None
        return
    from rich import progress as show
    from rich.console import Console

    columns = (
        show.TextColumn("{task.description}"),
        show.BarColumn(),
        show.MofNCompleteColumn(),
        show.TextColumn(unit),
    )
    times = (show.TimeElapsedColumn(), show.TimeRemainingColumn())
    bar = show.Progress(
        *columns,
        *times,
        console=Console(stderr=True),
        redirect_stdout=sys.stdout.isatty(),
        speed_estimate_period=SPEED_SECONDS,
    )
    with bar:
        task = bar.add_task(description, total=total, completed=done)

        def advance(steps: int = 1, description: str | None = None) -> None:
            bar.update(task, advance=steps, description=description)

        yield advance


def choose_device(name: str) -> torch.device:
    """Resolve auto|cpu|cuda|cuda:N; auto takes a CUDA device where there is one. On the CPU freed memory is kept.

    Raises:
        UserError: an unknown device, or CUDA asked for where this torch sees none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    elif not re.fullmatch(r"cpu|cuda(:(0|[1-9]\d?))?", name):  # torch knows more kinds, which nobody tried here
        raise UserError(f"--device={name}: unknown; allowed are auto, cpu, cuda and cuda:N")
    device = torch.device(name)
    if device.type == "cpu":
        keep_freed()
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"--device={name}: this torch sees no CUDA device; use --device=cpu or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--device={name}: there are {torch.cuda.device_count()} CUDA devices, counted from 0")
    return device
