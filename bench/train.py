# SPDX-License-Identifier: Apache-2.0
"""Time training iterations, ADA in them, and where they go: phases and what lies beside; against the yardstick.

    python bench/train.py                                  two small trainings on the CPU, with the yardstick
    python bench/train.py --device cuda --trainings stylegan3-t:512:32,stylegan2:256:16 --skip-reference
    python bench/train.py --page                           the figures also go to docs/bench.md

Needs torch and numpy alone. A training's ways take turns in one process; peaks come from processes of their own.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.pages.machine import facts
from bench.pages.training_passes import Training, footprint, timed
from bench.pages.training_tables import training_lines

PAGE = Path(__file__).resolve().parents[1] / "docs" / "bench.md"
PRECISIONS = {"cpu": ("fp32", "bf16"), "cuda": ("fp16", "bf16", "tf32", "fp32")}


def apart(training: Training, what: str) -> Any:
    """Measure in a process of its own; return what it found."""
    asked = json.dumps({"training": training.to_dict(), "what": what})
    done = subprocess.run([sys.executable, __file__, "--one", asked], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def one(text: str) -> Any:
    """Measure what `apart` asked for in this process."""
    asked = json.loads(text)
    training = Training(**{**asked["training"], "ways": tuple(asked["training"]["ways"])})
    return timed(training) if asked["what"] == "times" else footprint(training)


def wanted(given: argparse.Namespace) -> list[Training]:
    """Return the trainings that the command line names."""
    ways = [f"auto/{name}" for name in given.precisions.split(",")]
    ways += [] if given.skip_reference else ["reference/fp32"]
    found = []
    for text in given.trainings.split(","):
        cfg, size, batch = text.split(":")
        widths = (given.cbase, given.cmax)
        found.append(
            Training(
                cfg, int(size), int(batch), *widths, given.device, tuple(ways), given.batch_gpu, given.rounds, given.p
            )
        )
    return found


def options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--trainings", default="stylegan2:64:8,stylegan3-t:64:8", help="CFG:SIZE:BATCH,...")
    parser.add_argument("--precisions", help="some of fp32, tf32, bf16, fp16")
    parser.add_argument("--cbase", type=int, help="channels x size; 8192 on a CPU, 32768 on a GPU")
    parser.add_argument("--cmax", type=int, help="most channels; 128 on a CPU, 512 on a GPU")
    parser.add_argument("--batch-gpu", type=int, help="pictures at a time")
    parser.add_argument("--skip-reference", action="store_true", help="leave the yardstick out, and ratios with it")
    parser.add_argument("--p", type=float, default=0.2, help="of augmentations, where ADA begins; 0: neither")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", nargs="?", type=Path, const=PAGE, help="write the figures to this page as well")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    kind = torch.device(given.device).type
    given.precisions = given.precisions or ",".join(PRECISIONS[kind])
    given.cbase, given.cmax = (
        given.cbase or (8192 if kind == "cpu" else 32768),
        given.cmax or (128 if kind == "cpu" else 512),
    )
    return given


def main(arguments: list[str] | None = None) -> None:
    """Measure and print the tables."""
    given = options(arguments)
    if given.one:
        print(json.dumps(one(given.one)))
        return
    rows: list[dict[str, Any]] = []
    for training in wanted(given):
        print(f"{training.cfg} {training.size}x{training.size}, batch {training.batch}", file=sys.stderr, flush=True)
        for row in apart(training, "times"):
            if row["way"] != "reference":
                row |= apart(replace(training, ways=(f"{row['way']}/{row['precision']}",)), "footprint")
            rows.append(row)
    found = {"machine": facts(torch.device(given.device)), "rows": rows}
    print("\n".join(training_lines(found)))
    if given.page:
        from bench.pages.speeds import keep

        keep(given.page, "train", torch.device(given.device).type, found)


if __name__ == "__main__":
    main()
