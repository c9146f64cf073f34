# SPDX-License-Identifier: Apache-2.0
"""Compile every kernel for a card that isn't there, as StyleGAN3-T and StyleGAN2 at 512 samples use them.

    python -m stylegan3.ops.kernels.aot [80 | 90 ...]        compute capability times ten; prints a table

Triton's wheel brings ptxas and cuobjdump, so that no CUDA toolkit and no GPU is needed. A stack above 0 means that
registers were spilled to memory: the tiling is too large for its warps.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from stylegan3.ops.filters import lowpass
from stylegan3.ops.kernels import lrelu, resample, styled
from stylegan3.ops.kernels.filtered import filtered
from stylegan3.ops.kernels.geometry import sizes_of
from stylegan3.ops.kernels.host import FUSION
from stylegan3.ops.plans import Plan, Terms, plan_for
from stylegan3.ops.pointwise import Act
from stylegan3.ops.upfirdn import Taps, axis_band

TYPES = {torch.float16: "*fp16", torch.bfloat16: "*bf16", torch.float32: "*fp32"}
SHORT, LONG = (tuple(lowpass(n, 4.0, 7.0, 32).tolist()) for n in (12, 24))
FIR: Taps = (0.125, 0.375, 0.375, 0.125)
STYLED = ("level_n", "channels", "area", "x_c", "x_s", "y_c", "y_s", "g_c", "g_s")
ACT = Act(0.2, 2**0.5, None)


@dataclass(frozen=True)
class Case:
    """A kernel with all that it is compiled for; ``tensors`` are its arguments of type ``dtype``."""

    name: str
    kernel: Any
    dtype: torch.dtype
    constants: dict[str, Any]
    tensors: tuple[str, ...]
    others: dict[str, str] = field(default_factory=dict)  # further pointers and their types
    options: dict[str, Any] = field(default_factory=dict)
    round16: tuple[str, ...] = ()  # integers that are multiples of 16, which a launch sees by itself

    @property
    def title(self) -> str:
        """The name with its type."""
        return f"{self.name} {str(self.dtype).removeprefix('torch.')}"


@dataclass(frozen=True)
class Compiled:
    """What a compilation came to: bytes of code, shared memory and stack, and registers a thread."""

    name: str
    capability: int
    code: int
    shared: int
    registers: int
    stack: int


def _lrelu_cases() -> Iterator[Case]:
    shape = (2**0.5, 0.2, 256.0)
    same = plan_for(SHORT, SHORT, 2, 2, (9, 8, 9, 8), (276, 276), shape, False)
    twice = plan_for(LONG, SHORT, 4, 2, (-6, -9, -6, -9), (148, 148), shape, False)
    for dtype in TYPES:
        for factors, plan in (("2/2", same), ("4/2", twice)):
            yield from _lrelu_modes(f"lrelu {factors}", plan, dtype)


def _lrelu_modes(name: str, plan: Plan, dtype: torch.dtype) -> Iterator[Case]:
    modes = (("forward", plan, True, False, True), ("image", plan, True, False, False))
    linear = (("gradient", plan.transposed, False, True, False), ("second", plan, False, True, False))
    for mode, each, bias, read, write in (*modes, *linear):
        for config in lrelu.configs(sizes_of(each), dtype):
            constants = {**lrelu.constants(each, dtype, bias, read, write), **config.kwargs, "x_w": 1, "y_w": 1}
            tile = f"{config.kwargs['OUT_R']}x{config.kwargs['OUT_C']}"
            options = {"num_warps": config.num_warps, "num_stages": config.num_stages}
            label = f"{name} {mode} {tile} w{config.num_warps}"
            others = {"codes": "*u8", "taps": "*fp32"}
            yield Case(label, filtered, dtype, constants, ("x", "y", "bias"), others, options)


def _terms(up: int, down: int) -> Terms:
    one = axis_band(FIR, up, down, (2, 1), 256, 1.0, False)
    return ((one, one),)


def _resample_cases() -> Iterator[Case]:
    for dtype in TYPES:
        for up, down in ((1, 1), (2, 1), (1, 2)):
            for last, blocks in resample.BLOCKS.items():
                for block in blocks:
                    inner = {"x_c": 1, "y_c": 1} if last else {"x_w": 1, "y_w": 1}
                    constants = {**resample.constants(_terms(up, down), dtype), **resample.arguments(block), **inner}
                    name = f"resample {up}/{down} {'x'.join(map(str, block[:3]))} w{block[3]}"
                    warps = {"num_warps": block[3]}
                    yield Case(name, resample.resampled, dtype, constants, ("x", "y"), {"taps": "*fp32"}, warps)


def _styled_cases() -> Iterator[Case]:
    channels, area = 64, 512 * 512
    for dtype in TYPES:
        base = styled.constants(ACT, dtype)
        for last in product((False, True), repeat=2):
            x, other = ("c" if each else "s" for each in last)
            lie = f"channels {'innermost' if last[0] else 'outermost'}" + ", turned" * (last[0] != last[1])
            there = dict.fromkeys(("SCALED", "LEVEL", "BIAS"), True)
            constants = {**base, **there, **styled.block(channels, area, last), f"x_{x}": 1, f"y_{other}": 1}
            others = dict.fromkeys(("d", "level", "bias"), "*fp32")
            name = f"styled forward, {lie}"
            yield Case(name, styled.finished, dtype, constants, ("conv", "y"), others, round16=STYLED)
            wishes = dict.fromkeys(("SCALED", "CONV", "D", "LEVEL", "BIAS"), True) | {"LINEAR": False}
            blocks = styled.block(channels, area, last, styled.RUN)
            constants = {**base, **wishes, **blocks, f"x_{x}": 1, f"g_{other}": 1}
            name = f"styled gradients, {lie}"
            others = dict.fromkeys(("d", "for_d", "for_level", "for_bias"), "*fp32")
            yield Case(name, styled.graded, dtype, constants, ("g", "conv", "y", "g_conv"), others, round16=STYLED)


def cases() -> tuple[Case, ...]:
    """Return all kernels in all tilings, modes and types."""
    return (*_lrelu_cases(), *_resample_cases(), *_styled_cases())


def compile_case(case: Case, capability: int) -> Compiled:
    """Compile one kernel for a compute capability (80, 90), as a launch would: pointers aligned to 16 bytes."""
    types = {**dict.fromkeys(case.tensors, TYPES[case.dtype]), **case.others}
    names = case.kernel.arg_names
    signature = {n: "constexpr" if n in case.constants else types.get(n, "i32") for n in names}
    even = ({*types, *case.round16} & set(names)) - case.constants.keys()
    aligned = {(k,): [["tt.divisibility", 16]] for k, n in enumerate(names) if n in even}
    source = ASTSource(case.kernel, signature, case.constants, aligned)
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={**case.options, **FUSION})
    code = made.asm["cubin"]
    return Compiled(case.title, capability, len(code), made.metadata.shared, *_usage(code))


def _usage(cubin: bytes) -> tuple[int, int]:
    """Return registers a thread and bytes of stack, as cuobjdump reads them from the code."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    fields = dict(word.split(":", 1) for word in text.split() if word.startswith(("REG:", "STACK:")))
    return int(fields["REG"]), int(fields["STACK"])


def main(capabilities: list[int]) -> None:
    """Print the table."""
    print(f"{'kernel':<58} {'sm':>3} {'code':>7} {'shared':>7} {'registers':>9} {'stack':>6}")
    for case in cases():
        for capability in capabilities:
            c = compile_case(case, capability)
            print(f"{c.name:<58} {c.capability:>3} {c.code:>7} {c.shared:>7} {c.registers:>9} {c.stack:>6}", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [80, 90])
