# SPDX-License-Identifier: Apache-2.0
"""What several ranks cost: bytes summed an iteration by configuration, and 1, 2 and 4 processes measured here.

    python bench/ranks.py                   a small training, the same batch on 1, 2 and 4 processes of the CPU
    python bench/ranks.py --page            the figures also go to docs/scaling.md

Processes have one thread each. Where there are more of them than cores the clock says nothing of the overhead; the
processor seconds that all ranks spend together do.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.distributed as dist

from bench.pages.machine import facts
from bench.pages.scaling import PAGE, keep, scaling_lines
from bench.pages.training_data import stored
from bench.pages.training_passes import Runner, Training
from stylegan3.training.ranks import Alone, Group, Ranks

COUNTS = (1, 2, 4)
ITERATIONS = 16


def measured(training: Training, count: int, port: int) -> list[dict[str, Any]]:
    """Run a training on so many processes; return what each of them spent."""
    asked = json.dumps(training.to_dict())
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, __file__, "--one", asked],
            env={**os.environ, **shared, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    told = [process.communicate()[0] for process in ranks]
    if any(process.returncode for process in ranks):
        raise SystemExit(f"a rank of {count} failed")
    return [json.loads(text.splitlines()[-1]) for text in told]


def one(text: str) -> dict[str, Any]:
    """Be a rank: take iterations and return the seconds of an average one."""
    asked = json.loads(text)
    training = Training(**{**asked, "ways": tuple(asked["ways"])})
    ranks: Ranks = Alone()
    if int(os.environ["WORLD_SIZE"]) > 1:
        dist.init_process_group("gloo")
        ranks = Group()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(training, training.ways[0], stored(Path(folder), training.size), ranks)
        runner.iterate(2)
        spent, began = _spent(), time.perf_counter()
        parts = runner.iterate(ITERATIONS)
        found = {
            "wall": (time.perf_counter() - began) / ITERATIONS,
            "spent": (_spent() - spent) / ITERATIONS,
            "exchange": parts["exchange"] / ITERATIONS,
        }
    if ranks.count > 1:
        dist.barrier()
        dist.destroy_process_group()
    return found


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(arguments: list[str] | None = None) -> None:
    """Measure and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--cfg", default="stylegan2")
    parser.add_argument("--cbase", type=int, default=4096)
    parser.add_argument("--page", nargs="?", type=Path, const=PAGE, help="write the figures to this page as well")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(one(given.one)))
        return
    training = Training(given.cfg, given.size, given.batch, given.cbase, 128, "cpu", ("auto/fp32",), batch_gpu=4)
    rows = []
    for count in COUNTS:
        found = measured(training, count, 29400 + count)
        rows.append(
            {
                "ranks": count,
                "wall": max(one["wall"] for one in found),
                "spent": sum(one["spent"] for one in found),
                "exchange": max(one["exchange"] for one in found),
            }
        )
    kept = {"machine": facts(torch.device("cpu")), "training": training.to_dict(), "rows": rows}
    print("\n".join(scaling_lines(kept)))
    if given.page:
        keep(given.page, kept)


if __name__ == "__main__":
    main()
