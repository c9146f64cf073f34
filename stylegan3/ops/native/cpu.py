# SPDX-License-Identifier: Apache-2.0
"""The C++ operations of the CPU, called with addresses of torch's memory."""

from __future__ import annotations

import ctypes
import platform
import shutil
from functools import cache
from pathlib import Path

import torch

from stylegan3.ops.native.build import HERE, BuildError, built, digest, loaded, output_of
from stylegan3.ops.native.tables import Pass

UNITS = (
    "act.cpp",
    "halving.cpp",
    "inner.cpp",
    "lrelu.cpp",
    "lrelu_inner.cpp",
    "mix.cpp",
    "vertical.cpp",
    "winograd.cpp",
)
HEADERS = (
    "amx.h", "bend.h", "codes.h", "columns.h", "convolutions.h", "direct.h", "direct_kernels.h", "direct_results.h",
    "flow.h", "grid.h", "lrelu.h", "mirror.h", "numbers.h", "parts.h", "pictures.h", "products.h", "registers.h",
    "slide.h", "tasks.h", "team.h", "vertical.h", "winograd.h", "winograd_points.h", "winograd_tiles.h",
)  # fmt: skip
WIDE = ("-mprefer-vector-width=512",) if platform.machine() in ("x86_64", "AMD64") else ()
FLAGS = ("-std=c++17", "-O3", "-march=native", *WIDE, "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-fopenmp")
COMPILER, NO_COMPILER = "g++", "no g++ here (Debian: apt install g++)"
KINDS = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}


def processor() -> str:
    """Return what -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))


def why_no_bfloat16() -> str | None:
    """Return why the operations of this CPU don't multiply bfloat16 as such; None where they do."""
    if "avx512_bf16" not in processor().split():
        return "this CPU doesn't multiply bfloat16"
    return NO_COMPILER if shutil.which(COMPILER) is None else None


def declare_convolutions(lib: ctypes.CDLL) -> None:
    """Say what the functions of winograd.cpp and halving.cpp take."""
    grid, address = ctypes.POINTER(ctypes.c_int64), ctypes.c_void_p
    for function in (lib.winograd_scratch, lib.halving_scratch, lib.doubling_scratch):
        function.restype = ctypes.c_int64
        function.argtypes = [grid, *[ctypes.c_int32] * 3]
    for function, operands in (
        (lib.winograd_results, 8), (lib.winograd_kernels, 6), (lib.halving_results, 4), (lib.halving_kernels, 4),
        (lib.doubling_results, 4),
    ):  # fmt: skip
        function.restype = None
        function.argtypes = [grid, ctypes.c_int32, *[address] * operands, ctypes.c_int32]


@cache
def library() -> ctypes.CDLL:
    """Return the library, built where it must be.

    Raises:
        BuildError: without a compiler, or where it fails.
    """
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise BuildError(NO_COMPILER)
    key = digest(
        [HERE / name for name in (*UNITS, *HEADERS)],
        *FLAGS,
        output_of([compiler, "--version"], Path.cwd()),
        processor(),
    )
    objects = [name.replace(".cpp", ".o") for name in UNITS]
    commands = [[compiler, *FLAGS, "-c", f"{{source}}/{u}", "-o", o] for u, o in zip(UNITS, objects, strict=True)]
    # linked without OpenMP's library: torch has brought its own, and a second pool of threads would fight with it
    lib = loaded(built("cpu", key, [*commands, [compiler, "-shared", *objects, "-o", "library.so"]]))
    lib.filtered_lrelu.restype = None
    lib.filtered_lrelu.argtypes = [
        ctypes.POINTER(Pass), ctypes.c_int32, ctypes.c_int32, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 2,
        ctypes.c_int32,
    ]  # fmt: skip
    lib.lrelu_inner.restype = None
    lib.lrelu_inner.argtypes = [
        ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 3, ctypes.c_int32,
    ]  # fmt: skip
    declare_convolutions(lib)
    grid, address = ctypes.POINTER(ctypes.c_int64), ctypes.c_void_p
    for function in (lib.mix_to_many, lib.mix_to_few, lib.mix_matrices):
        function.restype = None
        function.argtypes = [grid, ctypes.c_int32, *[address] * 3, ctypes.c_int32]
    lib.resample_inner.restype = None
    lib.resample_inner.argtypes = [
        *[address] * 2, ctypes.c_int32, *[address] * 2, *[ctypes.c_int64] * 2, ctypes.c_int32,
    ]  # fmt: skip
    for function in (lib.act_results, lib.act_gradients):
        function.restype = None
        function.argtypes = [address, ctypes.c_int32, *[address] * 8, ctypes.c_int32]
    return lib
