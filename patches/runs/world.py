# SPDX-License-Identifier: Apache-2.0
"""Which of several processes this one is, as torchrun or `--gpus` (patches/runs/launch.py) has set them up."""

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from patches.errors import UserError
from stylegan3.training.ranks import Alone, Group, Ranks

PATIENCE = timedelta(minutes=30)
"""How long a rank waits for the others in training: rank 0 writes sheets and snapshots meanwhile."""
STARTED = 19
"""Of the fields of /proc/PID/stat behind the name: clock ticks from the machine's start to the process's."""


@dataclass(frozen=True)
class World:
    """This process among those that train together.

    Args:
        rank, count: over all machines; local_rank, local_count: on this one.
        restarts: how often torchrun has started all of them again (--max-restarts).
        machines: on which there are some.
        began: when torchrun did, which starts all of them again; seconds since 1970, None where it isn't there.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    restarts: int = 0
    machines: int = 1
    began: float | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "World | None":
        """Read torchrun's variables; None where nobody has set up any.

        Raises:
            UserError: some are no numbers, or don't fit each other.
        """
        if not {"RANK", "WORLD_SIZE"} <= environment.keys():
            return None
        try:
            rank, count = int(environment["RANK"]), int(environment["WORLD_SIZE"])
            local_rank = int(environment.get("LOCAL_RANK", rank))
            local_count = int(environment.get("LOCAL_WORLD_SIZE", count))
            restarts = int(environment.get("TORCHELASTIC_RESTART_COUNT", 0))
            machines = int(environment.get("GROUP_WORLD_SIZE", 1))
        except ValueError as error:
            raise UserError(f"RANK, WORLD_SIZE, LOCAL_RANK: {error}; torchrun sets them") from error
        if not 0 <= rank < count:
            raise UserError(f"RANK={rank}, WORLD_SIZE={count}: a rank lies between 0 and the world's size less one")
        began = _began(os.getppid()) if "TORCHELASTIC_RUN_ID" in environment else None
        return cls(rank, count, local_rank, local_count, restarts, machines, began)

    def device(self, name: str) -> str:
        """Return the name of this rank's own device.

        Raises:
            UserError: one card for several ranks, or too few on this machine.
        """
        if self.count == 1 or name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
            return name
        if name not in ("auto", "cuda"):
            raise UserError(f"--device={name}: each of {self.count} ranks takes a card of its own; give cuda or cpu")
        check_cards(self.local_count)
        return f"cuda:{self.local_rank}"


def check_cards(wanted: int) -> None:
    """See that this machine has so many cards.

    Raises:
        UserError: it hasn't.
    """
    cards = torch.cuda.device_count()
    if wanted > cards:
        raise UserError(f"--gpus={wanted}: this machine has {cards}; give --gpus={cards}, or --device=cpu")


@contextmanager
def joined(world: World) -> Iterator[tuple[Ranks, World]]:
    """Meet the other ranks; tensors on a card go by NCCL, others by gloo. Leave together where all went well.

    Yields:
        The ranks, and the world with the restarts that the rank which was started most often has seen, and the first
        beginning.
    """
    if world.count == 1:
        yield Alone(), world
        return
    _meet(world)
    try:
        ranks = Group()
        first = torch.tensor([-world.restarts, math.inf if world.began is None else world.began], dtype=torch.float64)
        ranks.start_min(first)()
        began = float(first[1])
        yield ranks, replace(world, restarts=-int(first[0]), began=began if math.isfinite(began) else None)
        ranks.meet()  # rank 0 still scores and sends; gloo may abort a process that leaves before the others have read
    except BaseException:
        if torch.cuda.is_available():
            dist.distributed_c10d._abort_process_group()  # NCCL's own leaving waits for the others
        raise
    dist.destroy_process_group()


def _meet(world: World) -> None:
    try:
        store, rank, count = next(dist.rendezvous("env://", world.rank, world.count, timeout=PATIENCE))
        # the store of torchrun on one machine outlives its workers: addresses of those before a restart stand in it;
        # several machines get a new one, and needn't agree how often they have started theirs
        own = dist.PrefixStore(f"restart {world.restarts}", store) if world.machines == 1 else store
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=own, rank=rank, world_size=count, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"rank {world.rank} can't reach the other {world.count - 1} (MASTER_ADDR, MASTER_PORT: "
            f"{' '.join(str(error).split())[:300]})"
        ) from error


def _began(pid: int) -> float | None:
    """Return when a process began, seconds since 1970; None where the system doesn't tell."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[STARTED])
    except (OSError, ValueError, IndexError):
        return None
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
