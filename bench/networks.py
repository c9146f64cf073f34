# SPDX-License-Identifier: Apache-2.0
"""Time whole networks in every way that serves here, against the yardstick in the same process, with peak memory.

    python bench/networks.py                         256x256, a picture; on a CPU many minutes for the yardstick alone
    python bench/networks.py --skip-reference --networks stylegan3-t
    python bench/networks.py --device cuda --size 512 --batch 8,32
    python bench/networks.py --page                  the figures also go to docs/bench.md

A network's times come from one process. On a CPU each peak comes from a process of its own (the yardstick's are left
out: it takes minutes); on a GPU from the allocator.
"""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.pages.machine import facts
from bench.pages.network_passes import FULL, NETWORKS, Wanted, peak, timed
from bench.pages.network_tables import network_lines
from bench.pages.speeds import keep

PAGE = Path(__file__).resolve().parents[1] / "docs" / "bench.md"


def apart(wanted: Wanted, what: str, kind: str = "", way: str = "", figure: str = "") -> Any:
    """Measure in a process of its own; return what it found."""
    one = json.dumps({"wanted": wanted.to_dict(), "what": what, "kind": kind, "way": way, "figure": figure})
    done = subprocess.run([sys.executable, __file__, "--one", one], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def one(text: str) -> Any:
    """Measure what ``apart`` asked for in this process."""
    asked = json.loads(text)
    wanted = Wanted(**asked["wanted"])
    if asked["what"] == "times":
        return timed(wanted)
    return peak(wanted, asked["kind"], asked["way"], asked["figure"])


def measured(wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Measure a network; yield a row for each way and precision."""
    for row in fitting(wanted):
        if wanted.device == "cpu" and row["way"] != "reference":
            for figure in ("forward", "both"):
                row[f"{figure}_gb"] = apart(wanted, "peak", row["kind"], row["way"], figure)
        yield row


def fitting(wanted: Wanted) -> list[dict[str, Any]]:
    """Return the times of a network; without the yardstick's where it took all memory and the system ended it."""
    try:
        rows: list[dict[str, Any]] = apart(wanted, "times")
    except subprocess.CalledProcessError as error:
        if error.returncode != -signal.SIGKILL or wanted.skip_reference:
            raise
        rows = apart(replace(wanted, skip_reference=True), "times")
        about = {name: rows[0][name] for name in ("network", "size", "batch")}
        rows.insert(0, {**about, "kind": "float32", "way": "reference", "trouble": FULL})
    return rows


def options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="some of %(default)s")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", default="1", help="pictures, several sizes with commas between")
    parser.add_argument("--cbase", type=int, default=0, help="channels x size; 0 is the published number")
    parser.add_argument("--skip-reference", action="store_true", help="leave the yardstick out, and ratios with it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--page", nargs="?", type=Path, const=PAGE, help="write the figures to this page as well")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print the table."""
    given = options(arguments)
    if given.one:
        print(json.dumps(one(given.one)))
        return
    rows: list[dict[str, Any]] = []
    for network in given.networks.split(","):
        for batch in map(int, given.batch.split(",")):
            print(f"{network} {given.size}x{given.size}, batch {batch}", file=sys.stderr, flush=True)
            settings = (given.device, given.cbase, given.skip_reference, given.rounds)
            rows += measured(Wanted(network, given.size, batch, *settings))
    found = {"machine": facts(torch.device(given.device)), "rows": rows}
    print("\n".join(network_lines(found)))
    if given.page:
        keep(given.page, "networks", torch.device(given.device).type, found)


if __name__ == "__main__":
    main()
