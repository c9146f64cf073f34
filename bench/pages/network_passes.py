# SPDX-License-Identifier: Apache-2.0
"""What bench/networks.py runs: a network's forward pass and both passes, their times and the memory at their peak."""

import resource
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stylegan3.networks import (
    DiscriminatorSpec,
    GeneratorSpec,
    build_discriminator,
    build_generator,
    compute_with,
)
from stylegan3.ops import engines
from stylegan3.ops.native.memory import keep_freed
from stylegan3.ops.timing import medians

CHANNELS = 4
WIDTHS = {"stylegan3-t": (32768, 512), "stylegan3-r": (65536, 1024), "stylegan2": (32768, 512)}
NETWORKS = (*WIDTHS, "discriminator")
KINDS = {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "float16", "bfloat16")}
FIGURES = ("forward", "both")
FULL = "out of memory"
Call = Callable[[], object]


@dataclass(frozen=True)
class Wanted:
    """A network to measure, on what and how; ``cbase`` 0 is the published one."""

    network: str
    size: int
    batch: int
    device: str = "cpu"
    cbase: int = 0
    skip_reference: bool = False
    rounds: int = 3

    def to_dict(self) -> dict[str, Any]:
        """Return values that JSON can hold."""
        return asdict(self)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The precisions of activations that the device does well."""
        return KINDS[torch.device(self.device).type]

    @property
    def ways(self) -> Iterator[tuple[str, str]]:
        """Each precision with each way to compute it; on a CPU the yardstick, which takes minutes, in float32 alone."""
        for kind in self.kinds:
            on_gpu = torch.device(self.device).type == "cuda"
            wanted = not self.skip_reference and (on_gpu or kind == "float32")
            for way in (*(["reference"] if wanted else []), "plain", "auto"):
                yield kind, way


def built(wanted: Wanted) -> tuple[nn.Module, Tensor]:
    """Return a network with drawn weights, and what it is given."""
    if wanted.device == "cpu":
        keep_freed()  # as the programs do
    rng, shape = torch.Generator().manual_seed(0), (CHANNELS, wanted.size, wanted.size)
    cbase, cmax = WIDTHS.get(wanted.network, (32768, 512))
    cbase = wanted.cbase or cbase
    if wanted.network == "discriminator":
        network: nn.Module = build_discriminator(DiscriminatorSpec(shape, channel_base=cbase, channel_max=cmax), rng)
        given = torch.randn(wanted.batch, *shape, generator=rng)
    else:
        spec = GeneratorSpec(wanted.network, shape, channel_base=cbase, channel_max=cmax)
        network, given = build_generator(spec, rng), torch.randn(wanted.batch, spec.z_dim, generator=rng)
    return network.to(wanted.device), given.to(wanted.device)


def passed(network: nn.Module, given: Tensor, kind: str, way: Any, figure: str) -> Call:
    """Return the call of a forward pass, or of both with the gradients for all weights."""
    weights = [p for p in network.parameters() if p.requires_grad]

    def forward() -> object:
        compute_with(network, way, getattr(torch, kind))
        with torch.no_grad():
            return network(given)

    def both() -> object:
        compute_with(network, way, getattr(torch, kind))
        return torch.autograd.grad(network(given).square().mean(), weights, allow_unused=True)

    return forward if figure == "forward" else both


def timed(wanted: Wanted) -> list[dict[str, Any]]:
    """Return a row for each way and precision; on a GPU with peaks."""
    network, given = built(wanted)
    torch.backends.cudnn.allow_tf32 = False
    about = {"network": wanted.network, "size": wanted.size, "batch": wanted.batch}
    rows = {(kind, way): {**about, "kind": kind, "way": way} for kind, way in wanted.ways}
    device = torch.device(wanted.device)
    engines.choice(device)  # kernels are built and tested now
    for figure in FIGURES:
        calls = {key: passed(network, given, *key, figure) for key in rows}
        peaks = allocated(calls) if device.type == "cuda" else dict.fromkeys(calls)
        named = {str(i): calls[key] for i, key in enumerate(peaks)}
        for key, seconds in zip(peaks, medians(named, device, wanted.rounds).values(), strict=True):
            rows[key][f"{figure}_ms"] = 1000 * seconds
            rows[key] |= {} if peaks[key] is None else {f"{figure}_gb": peaks[key]}
    return [row if f"{FIGURES[0]}_ms" in row else {**row, "trouble": FULL} for row in rows.values()]


def allocated(calls: dict[tuple[str, str], Call]) -> dict[tuple[str, str], float | None]:
    """Return the GB that each call allocates at its peak, those that don't fit left out."""
    found: dict[tuple[str, str], float | None] = {}
    for key, call in calls.items():
        torch.cuda.empty_cache()
        try:
            call()  # kernels are tuned, with memory of Triton's beside them
            torch.cuda.reset_peak_memory_stats()
            call()
        except torch.OutOfMemoryError:
            continue
        found[key] = torch.cuda.max_memory_allocated() / 1e9
    return found


def peak(wanted: Wanted, kind: str, way: str, figure: str) -> float:
    """Run a pass twice; return the GB of this process's resident memory at its peak."""
    network, given = built(wanted)
    call = passed(network, given, kind, way, figure)
    call()
    call()
    return resident() / 1e9


def resident() -> int:
    """Return the peak of this process's memory in bytes.

    Linux hands getrusage's number down from the process that started this one; its status file begins anew.
    """
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
    return found[0] if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
