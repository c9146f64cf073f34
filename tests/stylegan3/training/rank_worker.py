# SPDX-License-Identifier: Apache-2.0
"""One rank of a small training, run as a process: `python -m tests.stylegan3.training.rank_worker FOLDER`.

The environment says which rank it is, as torchrun would. Each rank leaves what its trainer holds in FOLDER.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from stylegan3.training import recorded
from stylegan3.training.ranks import Group
from stylegan3.training.trainer import Trainer
from tests.stylegan3.training.support import KINDS, everything_on, in_double, trained
from tests.stylegan3.training.tape import Tapes

ITERATIONS, SHORT = 20, 8
BATCH = 16
BUCKET_BYTES = 4096
"""So that networks this small fill several."""


def main(folder: Path) -> None:
    """Train every kind: in float64, in float32, with a state in its middle, with phases that are replayed."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    ranks = Group()
    trainer_of = partial(Trainer, ranks=ranks, bucket_bytes=BUCKET_BYTES)
    for kind in KINDS:
        arrangement = everything_on(kind, batch=BATCH, batch_gpu=4, ranks=ranks.count)
        whole = trained(arrangement, ITERATIONS, in_double(arrangement, ranks=ranks, bucket_bytes=BUCKET_BYTES))
        keep(whole, folder / f"{kind}-float64-{ranks.rank}")
        keep(trained(arrangement, SHORT, trainer_of(arrangement)), folder / f"{kind}-float32-{ranks.rank}")
        halfway = trained(arrangement, SHORT // 2, trainer_of(arrangement))
        keep(halfway, folder / f"{kind}-halfway-{ranks.rank}")
        dist.barrier()
        state = load_file(folder / f"{kind}-halfway-0.safetensors")  # as a run's ranks do
        resumed = trainer_of(arrangement)
        resumed.load_state(state)
        keep(trained(arrangement, SHORT - SHORT // 2, resumed), folder / f"{kind}-resumed-{ranks.rank}")
        defined = replace(arrangement, ops="reference")
        keep(trained(defined, SHORT, trainer_of(defined)), folder / f"{kind}-defined-{ranks.rank}")
        recorded.MARGIN = 0.0  # a tape is slower than what it repeats
        replayed = trained(defined, SHORT, trainer_of(defined, recorder=Tapes()))
        said = replayed.said()
        assert len(said) == 4  # G main and D main, at p = 0 and above it
        assert [line for line in said if ": recorded, " not in line] == []
        keep(replayed, folder / f"{kind}-replayed-{ranks.rank}")
    dist.barrier()
    dist.destroy_process_group()


def keep(trainer: Trainer, path: Path) -> None:
    """Write all of a trainer's state; what only one rank holds in the middle of a tick is brought together."""
    trainer.stats.gather(trainer.ranks)
    save_file({name: value.contiguous() for name, value in trainer.state().items()}, f"{path}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
