# SPDX-License-Identifier: Apache-2.0
"""How many pictures fit at a time: --batch-gpu from free memory, when it isn't given.

Every phase of an iteration is run on the meta device, where nothing is computed and nothing takes memory, and the bytes
of the tensors that live at a time are counted: activations, what autograd keeps, gradients of gradients.
"""

import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stylegan3.networks import Discriminator, Generator, compute_with
from stylegan3.training.draws import Draws
from stylegan3.training.phases import Context, phases_of
from stylegan3.training.rng import generator
from stylegan3.training.setup import Setup

META = torch.device("meta")
BEYOND_TENSORS = {"stylegan2": 1.65, "stylegan3-t": 1.25, "stylegan3-r": 1.1}
"""Peak over living tensors: scratch of convolutions, gaps of the allocator. Measured by bench/memory.py on the CPU."""
LIBRARIES = 32 * 2**20
"""What the first iteration makes the libraries load and keep. Measured likewise."""
SHARE = 0.8
"""Of the free memory that a run may take."""
GB = 2**30


@dataclass(frozen=True)
class Estimate:
    """Bytes that a training is expected to need: `fixed`, and so many more for each picture on the device."""

    per_picture: float
    fixed: float

    def at(self, pictures: int) -> float:
        """Return the peak with so many pictures on the device at a time."""
        return self.fixed + pictures * self.per_picture


def estimate(setup: Setup) -> Estimate:
    """Return what a training needs, for rounds of any size; what is kept stands twice while a state is written."""
    group, beyond = setup.hyper.group_size, BEYOND_TENSORS[setup.generator.kind]
    low, high = (beyond * peak(setup, pictures) for pictures in (group, 2 * group))
    per_picture = (high - low) / group
    return Estimate(per_picture, low - group * per_picture + 2 * bytes_kept(setup) + LIBRARIES)


def bytes_kept(setup: Setup) -> int:
    """Return what lives between two iterations: weights, their mean, both moments of both optimisers.

    Several ranks hold a network's gradients once more, where they are summed.
    """
    with META:
        g, d = Generator(setup.generator), Discriminator(setup.discriminator)
    sizes = [sum(p.numel() * p.element_size() for p in network.parameters()) for network in (g, d)]
    return 4 * sizes[0] + 3 * sizes[1] + (max(sizes) if setup.hyper.ranks > 1 else 0)


def peak(setup: Setup, pictures: int) -> int:
    """Return the largest number of bytes that live at a time in an iteration with so many pictures in one round."""
    with META:
        g, d = Generator(setup.generator), Discriminator(setup.discriminator)
        for network in (g, d):
            compute_with(network, inner=setup.inner)
        reals = torch.zeros(pictures, *setup.dataset.shape)
        labels = torch.zeros(pictures, setup.dataset.c_dim) if setup.dataset.c_dim else None
    hyper = replace(setup.hyper, batch=pictures, batch_gpu=None, ranks=1)
    small = replace(setup, hyper=hyper)
    most = 0
    for phase in phases_of(small):
        for network, name in ((g, "G"), (d, "D")):
            network.zero_grad(set_to_none=True)
            network.requires_grad_(name == phase.network)
        context = Context(
            setup=small, generator=g, discriminator=d,
            draws=_MetaDraws(hyper, phase.name, 0, range(hyper.groups), META), reals=reals, real_labels=labels,
            path_length_mean=torch.zeros((), device=META),
        )  # fmt: skip
        with _Living() as living:
            phase.loss(context).backward()
        most = max(most, living.most)
    return most


class _MetaDraws(Draws):
    """Draws whose values don't matter; the meta device has no generators."""

    def _rng(self, group: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        return generator("memory")


class _Living(TorchDispatchMode):
    """Counts the bytes of the storages that are alive; `most` is their peak."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.is_meta:
                self._born(tensor.untyped_storage())
        return result

    def _born(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, key, size).atexit = False

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def free_memory(device: torch.device) -> float:
    """Return the bytes that are free on a device; for the CPU what the system and its cgroup still give."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return 8.0 * GB
    rows = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
    free = float(rows["MemAvailable"].split()[0]) * 1024
    return min(free, _free_of_cgroup(Path("/sys/fs/cgroup")))


def _free_of_cgroup(folder: Path) -> float:
    """Return what a control group still gives: pages of read files count as free, since the kernel drops them."""
    limit, used, details = folder / "memory.max", folder / "memory.current", folder / "memory.stat"
    if not (limit.exists() and used.exists() and details.exists()) or limit.read_text().strip() == "max":
        return float("inf")
    rows = dict(line.split() for line in details.read_text(encoding="ascii").splitlines())
    cached = float(rows.get("inactive_file", 0)) + float(rows.get("active_file", 0))
    return float(limit.read_text()) - float(used.read_text()) + cached


def choose_batch_gpu(batch: int, group: int, needed: Estimate, free: float) -> tuple[int, str]:
    """Return the largest part of the batch, whole groups, that should fit, and the reason in words."""
    group = max(1, min(group, batch))
    parts = [size for size in range(group, batch + 1, group) if batch % size == 0]
    chosen = max((size for size in parts if needed.at(size) <= SHARE * free), default=group)
    doubt = "" if needed.at(chosen) <= free else "; that may be too little: narrow the networks by --cbase and --cmax"
    return chosen, (
        f"{chosen} of {batch} pictures at a time: about {needed.per_picture / GB:.2f} GB each and "
        f"{needed.fixed / GB:.2f} GB besides, {free / GB:.1f} GB free{doubt}"
    )
