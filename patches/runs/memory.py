# SPDX-License-Identifier: Apache-2.0
"""How many pictures fit at a time: --batch-gpu from free memory, when it isn't given."""

from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stylegan3.networks import DiscriminatorSpec, GeneratorSpec, build_discriminator, build_generator

PEAK_OVER_FORWARD = 2.0
"""Peak of an iteration (second-order R1 included) over the bytes that one forward of G and D writes; measured."""
SHARE = 0.8
"""Of the free memory that a run may take."""


class _Count(TorchDispatchMode):
    """Adds up the bytes of all results; with meta tensors nothing is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.bytes += sum(t.numel() * t.element_size() for t in tree_leaves(result) if isinstance(t, torch.Tensor))
        return result


def bytes_per_picture(generator: GeneratorSpec, discriminator: DiscriminatorSpec) -> float:
    """Return the expected peak of an iteration for each picture on the device."""
    rng = torch.Generator().manual_seed(0)
    g, d = build_generator(generator, rng).to("meta"), build_discriminator(discriminator, rng).to("meta")
    n = 4
    labels = torch.zeros(n, generator.c_dim, device="meta") if generator.c_dim else None
    with _Count() as count, torch.no_grad():
        d(g(torch.zeros(n, generator.z_dim, device="meta"), labels), labels)
    return PEAK_OVER_FORWARD * count.bytes / n


def bytes_of_state(generator: GeneratorSpec, discriminator: DiscriminatorSpec) -> float:
    """Return what the weights, their mean, gradients and optimisers take."""
    rng = torch.Generator().manual_seed(0)
    g = sum(p.numel() for p in build_generator(generator, rng).parameters())
    d = sum(p.numel() for p in build_discriminator(discriminator, rng).parameters())
    return 4.0 * (5 * g + 4 * d)


def free_memory(device: torch.device) -> float:
    """Return the bytes that are free on a device; for the CPU what the system and its cgroup still give."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return 8.0 * 2**30
    rows = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines())
    free = float(rows["MemAvailable"].split()[0]) * 1024
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        free = min(free, float(limit.read_text()) - float(used.read_text()))
    return free


def choose_batch_gpu(batch: int, group: int, per_picture: float, fixed: float, free: float) -> tuple[int, str]:
    """Return the largest part of the batch, whole groups, that should fit, and the reason in words."""
    group = max(1, min(group, batch))
    fitting = max(0.0, SHARE * free - fixed) / per_picture
    parts = [size for size in range(group, batch + 1, group) if batch % size == 0]
    chosen = max((size for size in parts if size <= fitting), default=group)
    gb = 2**30
    return chosen, (
        f"{chosen} of {batch} pictures at a time: about {per_picture / gb:.2f} GB each and {fixed / gb:.2f} GB for the "
        f"weights, {free / gb:.1f} GB free"
    )
