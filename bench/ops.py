# SPDX-License-Identifier: Apache-2.0
"""Time every operation in every way that serves here, against its definition in the same process.

    python bench/ops.py                              some ten minutes on a CPU; OMP_NUM_THREADS sets the threads
    python bench/ops.py --device cuda --size 512 --batch 8,32
    python bench/ops.py --page                       the figures also go to docs/bench.md

On a GPU the cases are the layers of a size x size network; on a CPU fixed ones, unless --size asks for layers there.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.pages.cases import Case, layer_cases, small_cases
from bench.pages.machine import facts
from bench.pages.operation_tables import operation_lines
from bench.pages.speeds import keep
from stylegan3.errors import NetworkError
from stylegan3.ops import engines
from stylegan3.ops.filtered_lrelu import run_by
from stylegan3.ops.interfaces import Engine
from stylegan3.ops.native.memory import keep_freed
from stylegan3.ops.timing import medians

PAGE = Path(__file__).resolve().parents[1] / "docs" / "bench.md"
KINDS = {"cpu": (torch.float32, torch.bfloat16), "cuda": (torch.float32, torch.float16, torch.bfloat16)}
FULL = "out of memory"
Way = Callable[..., Tensor]
Calls = dict[str, Callable[[], object]]


def spare_engines(device: torch.device) -> list[Engine]:
    """Return the engines that would serve here but weren't chosen."""
    chosen, found = engines.choice(device).kernels, []
    for name, _ in engines.MAKERS.get(device.type, []):
        try:
            engine = engines.tested(name, device).kernels.engine
        except (NetworkError, ImportError, RuntimeError):
            continue  # the doctor says why
        if chosen is not None and engine.name != chosen.engine.name:
            found.append(engine)
    return found


def ways_of(case: Case, spare: list[Engine]) -> dict[str, Way]:
    """Return the ways to compute a case, the yardstick first."""
    ways: dict[str, Way] = {}
    for impl in ("reference", "plain", "auto"):
        ways[impl] = lambda *given, impl=impl: case.run(impl, *given)
    if (plan := case.plan) is not None:
        for engine in spare:
            ways[engine.name] = lambda x, b, engine=engine, plan=plan: run_by(engine, x, b, plan)
    return ways


def forward(run: Way, given: list[Tensor], g: Tensor) -> Callable[[], object]:
    """Return the call of a forward pass that keeps nothing."""

    def call() -> object:
        with torch.no_grad():
            return run(*given)

    return call


def both(run: Way, given: list[Tensor], g: Tensor) -> Callable[[], object]:
    """Return the call of a forward pass and of the gradients for all inputs, g being the result's."""

    def call() -> object:
        y = run(*given)
        return torch.autograd.grad(y, given, g.to(y.dtype))

    return call


def fitting(calls: Calls, device: torch.device) -> Calls:
    """Return the calls that fit the card's memory."""
    if device.type != "cuda":
        return calls
    found: Calls = {}
    for name, call in calls.items():
        try:
            call()
            found[name] = call
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
    return found


def times(
    case: Case, ways: dict[str, Way], kind: torch.dtype, device: torch.device, rounds: int
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Return the milliseconds of a forward pass and of both, in each way that fits."""
    given = [tensor.requires_grad_() for tensor in case.drawn(kind, device)]
    g = torch.ones(case.result, dtype=kind, device=device)
    found: dict[str, dict[str, float]] = {name: {} for name in ways}
    for make in (forward, both):
        calls = fitting({name: make(run, given, g) for name, run in ways.items()}, device)
        for name, seconds in medians(calls, device, rounds).items():
            found[name][f"{make.__name__}_ms"] = 1000 * seconds
    return found


def measured(case: Case, spare: list[Engine], device: torch.device, rounds: int) -> Iterator[dict[str, Any]]:
    """Measure a case; yield a row for each way and precision."""
    ways = ways_of(case, spare)
    for kind in KINDS[device.type]:
        try:
            found = times(case, ways, kind, device, rounds)
        except torch.OutOfMemoryError:  # its inputs alone
            found = {}
        for name in ways:
            row = {"operation": case.operation, "shape": case.shape, "kind": str(kind)[6:], "way": name}
            figures = found.get(name)
            yield {**row, **case.needs(kind), **figures} if figures else {**row, "trouble": FULL}


def chosen_cases(given: argparse.Namespace) -> list[Case]:
    """Return the cases that the options ask for."""
    cases: list[Case] = []
    if given.device.startswith("cuda") or given.size:
        for batch in map(int, (given.batch or "8").split(",")):
            cases += layer_cases(given.size or 512, batch)
    else:
        cases = list(small_cases())
    return [case for case in cases if re.search(given.cases, case.operation)]


def main(arguments: list[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", type=int, help="layers of networks of this size; 512 on a GPU")
    parser.add_argument("--batch", help="pictures, several sizes with commas between; 8")
    parser.add_argument("--cases", default="", help="part of the names of operations; a regular expression")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", nargs="?", type=Path, const=PAGE, help="write the figures to this page as well")
    given = parser.parse_args(arguments)
    device = torch.device(given.device)
    torch.backends.cudnn.allow_tf32 = False
    if device.type == "cpu":
        keep_freed()  # as the programs do
    rows: list[dict[str, Any]] = []
    spare = spare_engines(device)
    for case in chosen_cases(given):
        print(f"{case.operation} {case.shape}", file=sys.stderr, flush=True)
        rows += measured(case, spare, device, given.rounds)
    found = {"machine": facts(device), "rows": rows}
    print("\n".join(operation_lines(found)))
    if given.page:
        keep(given.page, "ops", device.type, found)


if __name__ == "__main__":
    main()
