# SPDX-License-Identifier: Apache-2.0
"""Named parts of an iteration, for whoever measures where its time goes; nobody does by default."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Spans = Callable[[str], AbstractContextManager[object]]
"""Entered around a part of an iteration, by its name; parts may stand inside others."""


def unmeasured(name: str) -> AbstractContextManager[object]:
    """Measure nothing."""
    return nullcontext()
