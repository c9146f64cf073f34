# SPDX-License-Identifier: Apache-2.0
"""Verdicts on the ways to compute an operation: whether they can be had, are right, and how fast they are.

Each engine of engines.MAKERS is judged, whether it would be chosen or not. An error is the largest found among the
value, the gradients and those of the gradients, against the definition in float64 (agreement.py). The speed-up is that
of the value over the definition in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from stylegan3.ops import engines, selftest
from stylegan3.ops.agreement import SUBJECTS, Definition, Run, Subject, lrelu, others
from stylegan3.ops.filtered_lrelu import run_by
from stylegan3.ops.interfaces import Engine, Kernels
from stylegan3.ops.plans import Plan
from stylegan3.ops.timing import medians

KINDS = {"cpu": (torch.float32, torch.bfloat16), "cuda": (torch.float32, torch.float16, torch.bfloat16)}
TIMED = {"cpu": (1, 64, 86), "cuda": (8, 256, 150)}  # pictures, channels, side
KINKS = 4  # gradients of reduced precision may be this much further off: samples beside a kink fall to its other side
LAYER = (2, 2, (9, 8, 9, 8))  # up, down and padding of most of StyleGAN3-T's layers


@dataclass(frozen=True)
class Way:
    """A way to compute an operation: what runs it, or why it can't be had."""

    name: str
    run: Callable[[Subject], Run] | None
    why: str = ""
    engine: Engine | None = None

    def refusal(self, subject: Subject, kind: torch.dtype, device: torch.device) -> str | None:
        """Return why it doesn't serve a subject in a precision; None where it does."""
        if self.run is None:
            return self.why
        if self.engine is None or subject.plan is None:
            return None
        return self.engine.why_not(subject.drawn(kind, device)[0], subject.plan)


@dataclass(frozen=True)
class Row:
    """What was found of one operation in one precision by one way."""

    operation: str
    device: str
    kind: torch.dtype | None
    way: str
    why: str | None = None  # it isn't available
    trouble: str | None = None  # it is, and this is wrong with it
    error: float = float("nan")
    speed_up: float = float("nan")


def words(error: Exception) -> str:
    """Return an error's own words."""
    return str(error).strip() or type(error).__name__


def made(name: str, make: Callable[[], Kernels], device: torch.device) -> Way:
    """Make an engine and run it once."""
    try:
        kernels = make()
        selftest.engine_failure(kernels, torch.float32, device)  # whether it runs; what it computes is judged later
    except Exception as error:  # compilers, drivers and loaders raise what they like: it is what is to be shown
        return Way(name, None, words(error))
    return Way(name, lambda subject: lambda x, b: run_by(kernels.engine, x, b, _plan(subject)), engine=kernels.engine)


def _plan(subject: Subject) -> Plan:
    assert subject.plan is not None
    return subject.plan


def lrelu_ways(device: torch.device) -> list[Way]:
    """Return plain PyTorch and all engines of a device."""
    plain = Way(engines.TILES.name, lambda subject: subject.by("plain"))
    return [plain, *(made(name, make, device) for name, make in engines.MAKERS.get(device.type, []))]


def other_ways() -> list[Way]:
    """Return plain PyTorch and what is run unless it is asked otherwise."""
    return [
        Way(engines.TILES.name, lambda subject: subject.by("plain")),
        Way("auto", lambda subject: subject.by("auto")),
    ]


def trouble(errors: dict[str, float], kind: torch.dtype) -> str | None:
    """Return what is further off than the precision excuses; None where nothing is."""
    kinks = 1 if kind in (torch.float32, torch.float64) else KINKS
    for name, found in errors.items():
        allowed = selftest.ALLOWED[kind] * (1 if name == "value" else kinks)
        if not found <= allowed:  # NaN too
            return f"{name} off by {found:.1e} (allowed: {allowed:.0e})"
    return None


def judge(
    way: Way, subjects: dict[Subject, Definition], timed: Subject, kind: torch.dtype, device: torch.device
) -> Row:
    """Hold a way against the definitions of an operation's subjects, and time it."""
    name, where = timed.name, str(device)
    refusal = way.refusal(timed, kind, device)
    if refusal is not None or way.run is None:
        return Row(name, where, kind, way.name, why=refusal)
    worst = 0.0
    try:
        for subject, definition in subjects.items():
            errors = definition.errors(way.run(subject))
            wrong, worst = trouble(errors, kind), max(worst, *errors.values())
            if wrong is not None:
                return Row(name, where, kind, way.name, trouble=wrong, error=max(errors.values()))
        return Row(name, where, kind, way.name, error=worst, speed_up=speed_up(way.run(timed), timed, kind, device))
    except Exception as error:  # see made()
        return Row(name, where, kind, way.name, trouble=words(error))


@torch.no_grad()
def speed_up(run: Run, timed: Subject, kind: torch.dtype, device: torch.device) -> float:
    """Return how many times as fast as the definition in float32 a way is."""
    ours, theirs = timed.drawn(kind, device), timed.drawn(torch.float32, device)
    calls = {"ours": lambda: run(*ours), "theirs": lambda: timed.by("reference")(*theirs)}
    found = medians(calls, device, rounds=3)
    return found["theirs"] / found["ours"]


def timed_subjects(device: torch.device) -> list[Subject]:
    """Return each operation at a size at which its speed shows."""
    batch, channels, side = TIMED[device.type]
    layer = lrelu(selftest.Case(*LAYER, (side, side)), channels, batch)
    return [layer, *others(batch, channels, side)]


@contextmanager
def exact() -> Iterator[None]:
    """Keep float32 what it says: without NVIDIA's TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def rows_of(device: torch.device) -> Iterator[Row]:
    """Judge all operations of a device."""
    ways = {"filtered_lrelu": lrelu_ways(device)}
    rest = other_ways()
    for timed in timed_subjects(device):
        for kind in KINDS[device.type]:
            subjects = {s: Definition(s, kind, device) for s in SUBJECTS if s.name == timed.name}
            for way in ways.get(timed.name, rest):
                yield judge(way, subjects, timed, kind, device)
