# SPDX-License-Identifier: Apache-2.0
"""The CPU's library is written for any processor, whatever its vectors hold."""

import platform
import subprocess

import pytest

from stylegan3.ops.native import cpu
from stylegan3.ops.native.build import HERE
from tests.stylegan3.native.blocks import HAS_COMPILER

pytestmark = pytest.mark.skipif(
    not HAS_COMPILER or platform.machine() not in ("x86_64", "AMD64"), reason="needs g++ for x86-64"
)
WITHOUT_AVX512 = "-march=x86-64-v3"  # most processors of desktops


@pytest.mark.parametrize("unit", cpu.UNITS)
def test_each_unit_compiles_for_processors_without_avx512(unit: str) -> None:
    flags = [flag for flag in cpu.FLAGS if flag not in ("-march=native", "-O3")]
    command = ["g++", *flags, WITHOUT_AVX512, "-fsyntax-only", str(HERE / unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
