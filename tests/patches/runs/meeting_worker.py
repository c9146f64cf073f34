# SPDX-License-Identifier: Apache-2.0
"""A rank whose first one works on alone for longer than ranks wait: `... meeting_worker meet` or `... sum`.

The environment says which rank it is, as torchrun would.
"""

import os
import sys
import time
from datetime import timedelta

import torch

from patches.runs import world
from patches.runs.launch import LOST
from stylegan3.training.ranks import LostRankError

SECONDS = 3.0


def main(how: str) -> None:
    """Join, let rank 0 work alone, and leave, or sum."""
    here = world.World.of(os.environ)
    assert here is not None
    with world.joined(here) as (ranks, _):
        world.dist.distributed_c10d._set_pg_timeout(timedelta(seconds=1), None)
        ranks.meet()
        if here.rank == 0:
            time.sleep(SECONDS)
        if how == "sum":
            ranks.start_sum(torch.zeros(1))()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except LostRankError:
        os._exit(LOST)  # as patches.console.run: gloo's threads may abort Python's own end
