# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C at every place: KeyboardInterrupt raised at the k-th call or line of given files, for k = 1, 2, 3, ..."""

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

SOME = 20  # places that every test must reach at least


class Interrupter:
    """A trace function that raises once, when `left` calls and lines of the watched files have passed."""

    def __init__(self, files: Iterable[str], left: int) -> None:
        self.files, self.left, self.place = frozenset(files), left, ""

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in self.files:
            return None
        self._pass(frame)
        return self._line

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self._pass(frame)
        return self._line

    def _pass(self, frame: FrameType) -> None:
        self.left -= 1
        if self.left == 0:
            self.place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            raise KeyboardInterrupt


def interrupted(modules: Iterable[ModuleType], work: Callable[[], object]) -> Iterator[str]:
    """Do `work` again and again, interrupted one place later each time; yield the place, until it ends by itself.

    What a test looks at is what is left when the error has been dropped, as at a program's end.
    """
    files = [str(module.__file__) for module in modules]
    for left in count(1):
        former, tracer = sys.gettrace(), Interrupter(files, left)
        try:
            sys.settrace(tracer)
            work()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(former)
        if tracer.left > 0:
            return
        yield tracer.place
