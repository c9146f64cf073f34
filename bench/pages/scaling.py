# SPDX-License-Identifier: Apache-2.0
"""docs/scaling.md: what several ranks exchange and cost, on paper and as bench/ranks.py measured it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from bench.pages.machine import told
from bench.pages.tables import number, table
from spect.files import write_text
from stylegan3.configs import CONFIGURATIONS, discriminator_spec, generator_spec
from stylegan3.networks import Discriminator, Generator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
PUBLISHED = (
    # configuration, picture, batch of the published runs, seconds a picture on one card: the goals of docs/bench.md,
    # and for stylegan3-r T's, longer as R's published time is (110 to 90 s/kimg on an A100)
    ("stylegan2", 256, 16, 6.0e-3),
    ("stylegan3-t", 512, 32, 30.0e-3),
    ("stylegan3-r", 512, 32, 30.0e-3 * 110 / 90),
)
WIDTHS = {"cbase": 32768, "cmax": 512}
CARDS = (8, 64, 512)
NVLINK, NETWORK = 350e9, 45e9
"""Bytes a second and card that an all-reduce reaches within a machine of eight cards, and between such machines at
400 Gbit/s a card."""
LATENCY = 50e-6  # of one exchange
GROUP = 4


def parameters(cfg: str, size: int) -> tuple[int, int]:
    """Return how many numbers G and D consist of at the published widths, four channels."""
    numbers, shape = CONFIGURATIONS[cfg], (4, size, size)
    plain: dict[str, Any] = {"c_dim": 0, "embed_dim": 0, **WIDTHS}
    with torch.device("meta"):
        g = Generator(generator_spec(cfg, shape, map_depth=numbers.mapping_layers, z_dim=512, w_dim=512, **plain))
        d = Discriminator(discriminator_spec(shape, group=GROUP, **plain))
    return sum(p.numel() for p in g.parameters()), sum(p.numel() for p in d.parameters())


def exchanged(cfg: str, size: int) -> float:
    """Return the bytes of gradients that a rank gives into an average iteration's sums."""
    of_g, of_d = parameters(cfg, size)
    path_length = 1 / 4 if CONFIGURATIONS[cfg].path_length_weight else 0.0
    return 4.0 * (of_g * (1 + path_length) + of_d * (1 + 1 / 16))


def seconds_of_exchange(size: float, cards: int) -> float:
    """Return what a ring takes: every byte goes round twice, but for a card's own share; eight cards a machine."""
    if cards == 1:
        return 0.0
    return 2 * size * (cards - 1) / cards / (NVLINK if cards <= 8 else NETWORK) + LATENCY * size / (16 * 2**20)


def _on_paper() -> Iterator[list[str]]:
    for cfg, size, batch, _ in PUBLISHED:
        counts = [f"{count / 1e6:.1f} M" for count in parameters(cfg, size)]
        yield [f"{cfg} {size}x{size}", *counts, f"{exchanged(cfg, size) / 1e6:.0f} MB", str(batch)]


def _expected() -> Iterator[list[str]]:
    for cfg, size, published, picture in PUBLISHED:
        for cards in CARDS:
            batch = max(published, GROUP * cards)
            compute = picture * batch / cards
            exchange = seconds_of_exchange(exchanged(cfg, size), cards)
            yield [
                f"{cfg} {size}x{size}", str(cards), str(batch), str(batch // cards), number(1000 * compute),
                number(1000 * exchange), f"{100 * compute / (compute + exchange):.0f} %",
                f"{100 * min(1.0, compute / max(compute, exchange + 0.1 * compute)):.0f} %",
            ]  # fmt: skip


def _measured(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    for row in rows:
        share = 100 * (row["spent"] / rows[0]["spent"] - 1)
        yield [str(row["ranks"]), *(number(1000 * row[name]) for name in ("wall", "spent")), f"{share:+.0f} %",
               number(1000 * row["exchange"])]  # fmt: skip


def scaling_lines(kept: dict[str, Any]) -> list[str]:
    """Return the page's tables."""
    training = kept["training"]
    return [
        "## On paper",
        "",
        *table(("configuration", "G", "D", "summed an iteration", "published batch"), _on_paper()),
        "",
        "What a rank gives into the sums of an average iteration: G's gradients once (stylegan2: once more every",
        "fourth iteration, for path length), D's once and every 16th iteration once more. Averages, ADA's signs and",
        "path lengths are some kilobytes beside it.",
        "",
        "Expected milliseconds, with the seconds a picture that docs/bench.md names as goals for one H200 (not yet",
        "measured; stylegan3-r's is T's, longer by the published 110 to 90 s/kimg), all-reduce at "
        f"{NVLINK / 1e9:.0f} GB/s a card",
        f"in a machine of eight and {NETWORK / 1e9:.0f} GB/s a card between machines:",
        "",
        *table(
            (
                "configuration",
                "cards",
                "batch",
                "a card",
                "computing",
                "exchange",
                "efficiency, one after the other",
                "efficiency, overlapped",
            ),
            _expected(),
        ),
        "",
        "Buckets of 16 MB leave while the backward pass still runs; the last column takes all but a tenth of the",
        "computing as time in which they can. Phases that are replayed as graphs send them afterwards: whether that is",
        "faster is measured with the exchange in it, in a run's first iterations.",
        "",
        "## Measured",
        "",
        told(kept["machine"]),
        "",
        f"{training['cfg']} {training['size']}x{training['size']}, batch {training['batch']} in rounds of "
        f"{training['batch_gpu']}, cbase {training['cbase']}, cmax {training['cmax']}"
        f"{', augmented' if training.get('p') else ''}; gloo, a thread a process.",
        "",
        *table(
            ("processes", "ms an iteration", "processor ms of all", "more than one", "ms in exchange, longest"),
            _measured(kept["rows"]),
        ),
        "",
        "More processes than cores share them: what the ranks cost is in the processor's column.",
    ]


def keep(page: Path, kept: dict[str, Any]) -> None:
    """Keep what was measured beside the page, and draw it."""
    folder = page.with_suffix("") / "measured"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "ranks-cpu.json", json.dumps(kept, indent=1) + "\n")
    write_text(page, drawn(page))


def drawn(page: Path) -> str:
    """Return the page that the kept figures make."""
    kept = json.loads((page.with_suffix("") / "measured" / "ranks-cpu.json").read_text("utf-8"))
    return PROSE + "\n" + "\n".join(scaling_lines(kept)) + "\n"


PROSE = """\
# Many cards, many machines

The tables are written by `python bench/ranks.py --page`.

    python train.py --gpus=8 ...                                      # the cards of this machine, a process each
    torchrun --nnodes=4 --nproc-per-node=8 --rdzv-backend=c10d --rdzv-endpoint=HOST:29400 \\
        --max-restarts=3 train.py ...                                 # four machines, the same command on each

On a machine without cards `--gpus=N` starts N processes of the CPU: good for trying a set-up, never for speed.

## What is the same, and what must be

- `--batch` is the whole batch. It is dealt by groups of minibatch stddev (four pictures): a batch has to be a multiple
  of 4 x ranks. What a group draws depends on its place in the batch alone, so any number of ranks computes what one
  computes, up to the order in which sums are made: 1e-14 of the largest value after 20 iterations in float64, with 2
  and 4 processes (tests/stylegan3/training/test_ranks.py).
- With the same number of ranks a run that was stopped and resumed equals one that never was, bit for bit (on the CPU).
  With another number it goes on, and says that it does so up to rounding.
- Every machine needs the archive under the same path (`--data`); its hash is compared. Only rank 0 reads and writes
  the run's folder, so `--outdir` need not be shared, unless torchrun may start rank 0 on another machine: give a shared
  folder then.
- SIGTERM, Ctrl-C and `--time-limit` end all ranks with the same iteration, one after the first has heard, and a state
  is written. torchrun gives its processes 30 seconds from SIGTERM before it kills them: where an iteration, the sounds
  of a tick that is just being told of and a state take longer, let `--time-limit` end the run in time; what is lost
  otherwise is what came after the last snapshot.
- A rank that dies ends the others; the last state is whole. With `--gpus`, or torchrun on one machine, that takes
  seconds (tested on processes of the CPU, with gloo); over a network, and with NCCL, no machine has shown it yet: after
  half an hour without a word from the others a rank gives up by itself.
- torchrun's restarts go on from the last state by themselves. Where torchrun only changes the number of machines
  (`--nnodes=1:4`) it tells nobody: add `--resume=auto` then.

## When the batch grows

- **gamma.** The usual guess is 0.0002 x width x height / batch (`train.py` prints it where `--gamma` is missing): twice
  the batch, half the gamma. Then watch `sign` in the tick's line: near 1 means that D has learned the data by heart.
- **Learning rates.** The published ones were used with batches of 8 to 64. Nothing beyond was measured here; the
  customary first try is the square root of the growth, on both `--glr` and `--dlr`.
- **G_ema** follows by itself: its half-life is 10 kimg x batch / 32.
- **ADA** moves p by pictures shown, not by iterations, so it keeps its pace too.
- More cards than batch / 4 can't be used. With fewer than four pictures a card the exchange begins to show (table).
"""
