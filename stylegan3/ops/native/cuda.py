# SPDX-License-Identifier: Apache-2.0
"""The filtered leaky relu on CUDA devices, by a kernel that nvcc builds on first use (lrelu.cu).

The library has a plain C interface and is called with addresses and a stream, on purpose, rather than built by
torch.utils.cpp_extension.load: without torch's headers a build takes seconds and needs no ninja, a library serves
every torch, and the lock of a build is one that the system frees (build.py), so that it can't go stale.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.ops.native.block import CHOSEN, Blocks, Task, Tile
from stylegan3.ops.native.build import HERE, BuildError, built, digest, loaded, output_of

SOURCES = ("lrelu.cu", "lrelu_block.h", "lrelu_sums.h", "lrelu_launch.h", "lrelu_tile.h", "lrelu.h", "numbers.h")
FLAGS = ("-std=c++17", "-O3")

Capability = tuple[int, int]


class KernelUse(NamedTuple):
    """What ptxas tells of one kernel: registers of a thread, the rest in bytes.

    Shared memory isn't among it: all of it is asked for at the launch, by the tile (lrelu_tile.h).
    """

    kernel: str
    registers: int
    stack: int
    spill_stores: int
    spill_loads: int


@cache
def compiler() -> str:
    """Return nvcc's path: of the CUDA that torch finds, else of PATH.

    Raises:
        BuildError: where there is none.
    """
    from torch.utils.cpp_extension import CUDA_HOME

    beside = os.path.join(CUDA_HOME, "bin", "nvcc") if CUDA_HOME else None
    found = beside if beside and os.access(beside, os.X_OK) else shutil.which("nvcc")
    if found is None:
        raise BuildError("no nvcc here: install CUDA's toolkit and set CUDA_HOME, or put nvcc on PATH")
    return found


def _target(capability: Capability) -> tuple[str, str]:
    number = "{}{}".format(*capability)
    return "-gencode", f"arch=compute_{number},code=sm_{number}"


@cache
def library(capability: Capability) -> ctypes.CDLL:
    """Return the library for cards of a compute capability, built where it must be.

    Raises:
        BuildError: without a compiler, or where it fails.
    """
    nvcc = compiler()
    flags = (*FLAGS, "-shared", "-Xcompiler", "-fPIC", *_target(capability))
    key = digest([HERE / name for name in SOURCES], *flags, output_of([nvcc, "--version"], Path.cwd()))
    lib = loaded(built("cuda", key, [[nvcc, *flags, "{source}/lrelu.cu", "-o", "library.so"]]))
    lib.filtered_lrelu_cuda.restype = ctypes.c_int32
    lib.filtered_lrelu_cuda.argtypes = [ctypes.POINTER(Task), ctypes.c_int32, ctypes.c_void_p]
    lib.filtered_lrelu_cuda_error.restype = ctypes.c_char_p
    lib.filtered_lrelu_cuda_error.argtypes = [ctypes.c_int32]
    return lib


def compile_check(capability: Capability) -> list[KernelUse]:
    """Compile the kernels for a compute capability, with or without such a card, and return what they use.

    Raises:
        BuildError: without a compiler, or where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [compiler(), *FLAGS, *_target(capability), "-Xptxas", "-v", "-c", str(HERE / "lrelu.cu"), "-o", "o"]
        # nvcc passes on what ptxas tells as errors; output_of returns what is printed
        return _uses(output_of(["sh", "-c", 'exec "$@" 2>&1', "sh", *command], Path(folder)))


def _uses(text: str) -> list[KernelUse]:
    """Read ptxas's report: for each kernel a name, its stack and spills, its registers."""
    pattern = (
        r"Compiling entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
        r".*?Used (\d+) registers"
    )
    found = re.findall(pattern, text, re.DOTALL)
    return [KernelUse(name, int(r), int(stack), int(st), int(ld)) for name, stack, st, ld, r in found]


def _launch(task: Task, on: Tensor) -> None:
    lib = library(torch.cuda.get_device_capability(on.device))
    with torch.cuda.device(on.device):
        stream = torch.cuda.current_stream(on.device).cuda_stream
        code = lib.filtered_lrelu_cuda(ctypes.byref(task), on.get_device(), stream)
    if code:
        raise NetworkError(f"filtered_lrelu on {on.device}: {lib.filtered_lrelu_cuda_error(code).decode()}")


class Cuda(Blocks):
    """The engine in CUDA."""

    name = "CUDA"

    def __init__(self, tile: Tile = CHOSEN) -> None:
        super().__init__(_launch, tile)
