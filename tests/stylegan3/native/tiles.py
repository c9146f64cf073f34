# SPDX-License-Identifier: Apache-2.0
"""Where direct.h's tile registers are to be had: in the processor, or in memory (tiles_in_software.cpp).

A library is called as stylegan3.ops.winograd does; what lies behind the memory it asks for is watched.
"""

from __future__ import annotations

import ctypes
import platform
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from stylegan3.ops.native import cpu
from stylegan3.ops.native.build import HERE, built, digest, loaded, output_of
from tests.stylegan3.native.blocks import HAS_COMPILER

SOURCE = Path(__file__).with_name("tiles_in_software.cpp")
FLAGS = (*(flag for flag in cpu.FLAGS if flag != "-O3"), "-O1", f"-I{HERE}", "-shared")
GUARD = 4096  # bytes behind a call's memory


def has_compiler() -> bool:
    """Return whether there is g++ for x86-64."""
    return HAS_COMPILER and platform.machine() in ("x86_64", "AMD64")


@cache
def macros() -> frozenset[str]:
    """Return the names that g++ defines for this processor."""
    command = ["g++", "-march=native", "-dM", "-E", "-x", "c++", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return frozenset(line.split()[1] for line in done.stdout.splitlines())


def why_not_in_software() -> str | None:
    """Return what is missing for tile registers in memory."""
    if not has_compiler():
        return "needs g++ for x86-64"
    missing = sorted({"__AVX512F__", "__AVX512BF16__", "__linux__"} - macros())
    return f"-march=native has no {', '.join(missing)}" if missing else None


def why_not_in_registers() -> str | None:
    """Return what is missing for the processor's own."""
    if reason := why_not_in_software():
        return reason
    if "__AMX_BF16__" not in macros():
        return "-march=native has no __AMX_BF16__"
    arch_prctl, ask, tile_data = 158, 0x1023, 18  # as amx.h asks
    return "the system keeps tile registers back" if ctypes.CDLL(None).syscall(arch_prctl, ask, tile_data) else None


def compiler() -> str:
    """Return g++'s version."""
    return output_of(["g++", "--version"], Path.cwd())


@cache
def in_software() -> ctypes.CDLL:
    """Return the library with tile registers in memory, built where it must be."""
    sources = [SOURCE, *(HERE / name for name in ("winograd.cpp", "halving.cpp", *cpu.HEADERS))]
    key = digest(sources, *FLAGS, compiler(), cpu.processor())
    lib = loaded(built("tiles", key, [["g++", *FLAGS, str(SOURCE), "-o", "library.so"]]))
    cpu.declare_convolutions(lib)
    return lib


@cache
def without() -> ctypes.CDLL:
    """Return the convolutions as they are built for a processor like this one but for its tile registers."""
    sources = [HERE / name for name in ("winograd.cpp", "halving.cpp")]
    flags = (*FLAGS, "-mno-amx-bf16")
    key = digest([*sources, *(HERE / name for name in cpu.HEADERS)], *flags, compiler(), cpu.processor())
    lib = loaded(built("no-tiles", key, [["g++", *flags, *map(str, sources), "-o", "library.so"]]))
    cpu.declare_convolutions(lib)
    return lib


class Watched:
    """A library that gets some bytes more for each call than it asks for, and is to leave them alone."""

    def __init__(self, lib: ctypes.CDLL) -> None:
        self.lib = lib
        self.size = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self.lib, name)

        def scratch(*given: Any) -> int:
            self.size = function(*given)
            return self.size + GUARD

        def call(*given: Any) -> None:
            behind = given[-2] + self.size  # the last address is that of the memory
            kept = b"\xff" * GUARD
            ctypes.memmove(behind, kept, GUARD)
            function(*given)
            assert ctypes.string_at(behind, GUARD) == kept, f"{name} wrote behind its memory"

        return scratch if name.endswith("_scratch") else call
