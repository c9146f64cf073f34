# SPDX-License-Identifier: Apache-2.0
"""The C++ operations of the CPU, called with addresses of torch's memory."""

from __future__ import annotations

import ctypes
import platform
import shutil
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from stylegan3.ops.native.build import HERE, BuildError, built, digest, loaded, output_of
from stylegan3.ops.native.tables import Pass, tables_for, why_not
from stylegan3.ops.plans import Plan, resampling_plan
from stylegan3.ops.resampling import Terms

UNITS = ("act.cpp", "halving.cpp", "inner.cpp", "lrelu.cpp", "mix.cpp", "vertical.cpp", "winograd.cpp")
HEADERS = (
    "bend.h", "codes.h", "columns.h", "flow.h", "lrelu.h", "mirror.h", "numbers.h", "parts.h", "pictures.h",
    "products.h", "registers.h", "slide.h", "team.h", "vertical.h", "winograd.h", "winograd_points.h",
    "winograd_tiles.h",
)  # fmt: skip
WIDE = ("-mprefer-vector-width=512",) if platform.machine() in ("x86_64", "AMD64") else ()
FLAGS = ("-std=c++17", "-O3", "-march=native", *WIDE, "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-fopenmp")
KINDS = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}
ACTIVATE, ACTIVATE_AND_KEEP, MULTIPLY, LINEAR = range(4)


def processor() -> str:
    """Return what -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))


@cache
def library() -> ctypes.CDLL:
    """Return the library, built where it must be.

    Raises:
        BuildError: without a compiler, or where it fails.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        raise BuildError("no g++ here (Debian: apt install g++)")
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


class Cpu:
    """The engine in C++; keeps codes, 2 bits a raised sample."""

    name = "C++"

    def why_not(self, x: Tensor, plan: Plan) -> str | None:
        """Return why a tensor and a plan can't be served; None where they can."""
        return why_not(plan) if x.dtype in KINDS else f"it takes no {x.dtype}"

    def forward(self, x: Tensor, b: Tensor | None, plan: Plan, keep: bool) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        """Return y and the codes."""
        n, c = x.shape[:2]
        rows, columns = plan.raised
        codes = x.new_empty(n * c, -(-rows // 4), columns, dtype=torch.uint8) if keep else None
        return _call(x, b, codes, plan, ACTIVATE_AND_KEEP if keep else ACTIVATE), (codes,)

    def linear(self, g: Tensor, kept: tuple[Tensor | None, ...], plan: Plan, backward: bool) -> Tensor:
        """Return D (s . U g), or U^T (s . D^T g) where ``backward``."""
        return _call(g, None, kept[0], plan.transposed if backward else plan, MULTIPLY)

    def resamples(self, x: Tensor, terms: Terms) -> bool:
        """Return whether it can resample a tensor, to planes whose channels lie outermost."""
        single = all(b.up == 1 or b.down == 1 for pair in terms for b in pair)
        return single and self.why_not(x, resampling_plan(terms)) is None

    def resample(self, x: Tensor, terms: Terms) -> Tensor:
        """Apply a (row band, column band) product to pictures [N, C, H, W]."""
        return _call(x, None, None, resampling_plan(terms), LINEAR)


def _call(x: Tensor, b: Tensor | None, codes: Tensor | None, plan: Plan, mode: int) -> Tensor:
    n, c = x.shape[:2]
    x = x.contiguous()
    y = x.new_empty(n, c, *plan.size)
    bias = None if b is None else b.detach().to(torch.promote_types(x.dtype, torch.float32)).contiguous()
    library().filtered_lrelu(
        ctypes.byref(tables_for(plan)), mode, KINDS[x.dtype], x.data_ptr(), None if bias is None else bias.data_ptr(),
        None if codes is None else codes.data_ptr(), y.data_ptr(), n * c, c, torch.get_num_threads(),
    )  # fmt: skip
    return y
