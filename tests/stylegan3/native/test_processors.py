# SPDX-License-Identifier: Apache-2.0
"""The CPU's library is written for any processor, whatever its vectors hold."""

import platform
import subprocess
from functools import cache

import pytest

from stylegan3.ops.native import cpu
from stylegan3.ops.native.build import HERE
from tests.stylegan3.native.blocks import HAS_COMPILER

pytestmark = pytest.mark.skipif(
    not HAS_COMPILER or platform.machine() not in ("x86_64", "AMD64"), reason="needs g++ for x86-64"
)
WITHOUT_AVX512 = "x86-64-v3"  # most processors of desktops
WITH_AMX = "sapphirerapids"


def compiles(unit: str, march: str) -> None:
    flags = [flag for flag in cpu.FLAGS if flag not in ("-march=native", "-O3")]
    command = ["g++", *flags, f"-march={march}", "-fsyntax-only", str(HERE / unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]


@cache
def why_not(march: str) -> str | None:
    """Return the compiler's own words where it doesn't know a processor."""
    command = ["g++", f"-march={march}", "-fsyntax-only", "-x", "c++", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.splitlines()[0] if done.returncode else None


@pytest.mark.parametrize("unit", cpu.UNITS)
def test_each_unit_compiles_for_processors_without_avx512(unit: str) -> None:
    compiles(unit, WITHOUT_AVX512)


@pytest.mark.parametrize("unit", cpu.UNITS)
def test_each_unit_compiles_for_processors_with_tile_registers(unit: str) -> None:
    if reason := why_not(WITH_AMX):
        pytest.skip(reason)
    compiles(unit, WITH_AMX)
