# SPDX-License-Identifier: Apache-2.0
"""How long calls take, fairly beside each other: after warming up, in turns, the median of several rounds.

A call shorter than SPAN is repeated within a round. On a CPU one longer than LONG is run once: what its first run costs
beyond the others is small beside it (not so on a GPU, where a first run may compile kernels). There CUDA's events
measure, so that a queue of calls hides the launches as it does in a training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

import torch

SPAN = 0.02  # seconds
LONG = 10.0
MOST = 100  # repetitions

Call = Callable[[], object]


def seconds(call: Call, device: torch.device, times: int = 1) -> float:
    """Return the mean duration of a call over so many of them in a row."""
    if device.type != "cuda":
        start = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - start) / times
    events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
    with torch.cuda.device(device):
        events[0].record()
        for _ in range(times):
            call()
        events[1].record()
        events[1].synchronize()
    return events[0].elapsed_time(events[1]) / 1000 / times


def medians(calls: Mapping[str, Call], device: torch.device, rounds: int = 5) -> dict[str, float]:
    """Return the median seconds of each call."""
    found: dict[str, list[float]] = {}
    times: dict[str, int] = {}
    for name, call in calls.items():
        first = seconds(call, device)
        if first > LONG and device.type != "cuda":
            found[name] = [first]
        else:
            again = first if first > SPAN and device.type != "cuda" else seconds(call, device)
            times[name] = min(MOST, max(1, round(SPAN / max(again, 1e-6))))
    for _ in range(rounds):
        for name, repeated in times.items():
            found.setdefault(name, []).append(seconds(calls[name], device, repeated))
    return {name: median(found[name]) for name in calls}
