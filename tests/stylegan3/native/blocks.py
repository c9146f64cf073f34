# SPDX-License-Identifier: Apache-2.0
"""What the tests of blocks of threads share: layers, and the card's kernel body run on a CPU (lrelu_block.cpp)."""

from __future__ import annotations

import ctypes
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from stylegan3.ops.filtered_lrelu import _FilteredLrelu, filtered_lrelu
from stylegan3.ops.native.block import CHOSEN, Blocks, Task, Tile
from stylegan3.ops.native.build import HERE, built, digest, loaded, output_of
from stylegan3.ops.native.cuda import SOURCES
from stylegan3.ops.plans import Plan, plan_for
from stylegan3.ops.resampling import Taps

HAS_COMPILER = shutil.which("g++") is not None
FLAGS = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-fPIC", "-shared")
ROOM = 96 << 10  # bytes of scratch memory: a block has as much on any card since 2020
SLOPE, GAIN = 0.2, 2**0.5


def some_taps(n: int, seed: int, mirrored: bool = False) -> Taps | None:
    """Return n taps, their own mirror image or without any symmetry; None (the identity) for n = 0. Sum: about 1."""
    if n == 0:
        return None
    taps = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 1
    taps = taps + taps.flip(0) if mirrored else taps
    return tuple((taps / taps.abs().sum()).tolist())


@dataclass(frozen=True)
class Layer:
    """A filtered leaky relu; padding is x0, x1, y0, y1."""

    up: int
    down: int
    taps: tuple[int, int]
    padding: tuple[int, int, int, int]
    size: tuple[int, int]
    clamp: float | None = 0.6
    mirrored: bool = False

    @property
    def filters(self) -> tuple[Taps | None, Taps | None]:
        return some_taps(self.taps[0], 1, self.mirrored), some_taps(self.taps[1], 2, self.mirrored)

    @property
    def plan(self) -> Plan:
        fu, fd = (f or (1.0,) for f in self.filters)
        return plan_for(fu, fd, self.up, self.down, self.padding, self.size, (GAIN, SLOPE, self.clamp), False)

    def inputs(self, n: int = 2, c: int = 3, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
        """Return x [n, c, H, W] and a bias."""
        rng = torch.Generator().manual_seed(n + 10 * c)
        x = torch.randn(n, c, *self.size, generator=rng, dtype=torch.float64)
        return x.to(dtype), torch.randn(c, generator=rng, dtype=torch.float64).to(dtype)

    def by_definition(self, x: Tensor, b: Tensor | None) -> Tensor:
        """Return the result, zeros inserted and all."""
        fu, fd = self.filters
        return filtered_lrelu(
            x, fu, fd, b, up=self.up, down=self.down, padding=self.padding, gain=GAIN, slope=SLOPE, clamp=self.clamp,
            impl="reference",
        )  # fmt: skip

    def by(self, engine: Blocks, x: Tensor, b: Tensor | None) -> Tensor:
        """Return the result of an engine, through the autograd function."""
        result: Tensor = _FilteredLrelu.apply(x, b, self.plan, engine, x.requires_grad)
        return result


LAYERS = {
    "2/2": Layer(2, 2, (12, 12), (11, 10, 11, 10), (13, 22)),
    "2/2 other phase": Layer(2, 2, (12, 12), (10, 10, 8, 13), (14, 9)),
    "4/2": Layer(4, 2, (24, 12), (17, 18, 18, 16), (7, 12)),
    "4/2 phases": Layer(4, 2, (24, 12), (19, 15, 20, 16), (8, 5)),
    "4/2 cropped": Layer(4, 2, (24, 12), (-3, -6, -5, 2), (13, 16), None),
    "2/4": Layer(2, 4, (12, 24), (16, 15, 13, 20), (21, 14)),
    "1/2": Layer(1, 2, (0, 12), (5, 5, 4, 7), (17, 23)),
    "2/1": Layer(2, 1, (12, 0), (5, 6, 6, 5), (9, 10)),
    "1/1": Layer(1, 1, (0, 0), (0, 0, 0, 0), (11, 18)),
    "1/1 cropped and padded": Layer(1, 1, (0, 0), (-2, 3, 1, -4), (11, 9)),
    "24 taps": Layer(1, 1, (24, 24), (22, 24, 23, 23), (10, 7), 0.3),
    "5 and 7 taps": Layer(4, 4, (5, 7), (4, 3, 6, 2), (10, 11), None),
    "samples left out": Layer(2, 4, (1, 1), (2, 0, 4, 1), (9, 12)),
}


@cache
def block_library() -> ctypes.CDLL:
    """Return the library of the blocks on a CPU, built where it must be."""
    sources = [HERE / name for name in ("lrelu_block.cpp", *SOURCES[1:])]
    key = digest(sources, *FLAGS, output_of(["g++", "--version"], Path.cwd()))
    command = ["g++", *FLAGS, "{source}/lrelu_block.cpp", "-o", "library.so"]
    lib = loaded(built("block", key, [command]))
    lib.filtered_lrelu_block.restype = ctypes.c_int32
    lib.filtered_lrelu_block.argtypes = [ctypes.POINTER(Task), ctypes.c_int64, ctypes.c_int32]
    return lib


def block_engine(tile: Tile = CHOSEN, threads: int = 1, room: int = ROOM) -> Blocks:
    """Return the engine whose tiles are worked on here, one after another."""

    def launch(task: Task, on: Tensor) -> None:
        code = block_library().filtered_lrelu_block(ctypes.byref(task), room, threads)
        if code:
            raise RuntimeError(f"failure {code}")

    return Blocks(launch, tile)
