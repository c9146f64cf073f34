# SPDX-License-Identifier: Apache-2.0
"""docs/bench.md: sections of bench/ops.py, networks.py and train.py, each drawn from what it measured on a device.

The figures lie beside the page, PAGE/measured/ops-cpu-amd-epyc.json and so on: a bench replaces its own of the same
card or processor, and the page is drawn from all that are there.
"""

import json
import re
from pathlib import Path
from typing import Any

from bench.pages.network_tables import network_lines
from bench.pages.operation_tables import operation_lines
from bench.pages.training_tables import training_lines
from spect.files import write_text

NEVER = "never run on a GPU"
SECTIONS = (
    ("ops", "Operations", operation_lines),
    ("networks", "Networks", network_lines),
    ("train", "Training", training_lines),
)
DEVICES = (("cuda", "on a GPU"), ("cpu", "on the CPU"))
READING = """\
Written by `python bench/ops.py --page` and `python bench/networks.py --page`; not by hand. The yardstick is
`--ops=reference`, each operation's definition: zeros inserted, filters convolved at the full rate along one axis after
the other, every second sample dropped afterwards; one kernel a picture, in groups of one convolution. Ratios are
against the yardstick in the same process, on the same numbers; where it was run in float32 and in a row's own
precision, against the faster of the two. Medians of several rounds in turns, after warming up; what takes more than ten
seconds on a CPU is run once. `auto` is what runs unless `--ops` says otherwise, `plain` is PyTorch without kernels. A
forward pass keeps nothing for a gradient."""


def folder(page: Path) -> Path:
    """Return where a page's figures lie."""
    return page.with_suffix("") / "measured"


def called(machine: dict[str, Any]) -> str:
    """Return the name of a card or processor without what says nothing: "Intel Xeon"."""
    words = re.sub(r"\((R|TM|C)\)|\b(Processor|CPU)\b", " ", machine.get("gpu") or machine["processor"]).split()
    return " ".join(words)


def keep(page: Path, section: str, device: str, found: dict[str, Any]) -> None:
    """Keep what a bench measured on a device in place of what it did before on one like it, and draw the page."""
    name = re.sub(r"[^a-z0-9]+", "-", called(found["machine"]).lower()).strip("-")
    rows = ",\n".join(json.dumps(row) for row in found["rows"])
    text = f'{{"machine": {json.dumps(found["machine"])},\n"rows": [\n{rows}\n]}}\n'
    folder(page).mkdir(parents=True, exist_ok=True)
    write_text(folder(page) / f"{section}-{device}-{name}.json", text)
    write_text(page, drawn(page))


def drawn(page: Path) -> str:
    """Return the page that the kept figures make."""
    blocks = []
    for section, title, lines in SECTIONS:
        for device, where in DEVICES:
            for path in sorted(folder(page).glob(f"{section}-{device}-*.json")):
                found = json.loads(path.read_text("utf-8"))
                blocks += [f"## {title} {where}: {called(found['machine'])}", "\n".join(lines(found))]
    on_gpu = any(folder(page).glob("*-cuda-*.json"))
    title = f"# Speed{'' if on_gpu else f': {NEVER}'}"
    return "\n\n".join([title, READING, *(blocks or ["Nothing was measured yet."])]) + "\n"
