# SPDX-License-Identifier: Apache-2.0
"""Freed memory stays with the process where glibc can be told so."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys, torch
from stylegan3.ops.native.memory import keep_freed
if sys.argv[1] == "keep":
    assert keep_freed()
def once():
    return torch.ones(16 << 20)  # 64 MB
for _ in range(20):  # until the heap has its size
    once()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    once()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")
def test_pages_are_not_asked_for_again() -> None:
    faults = {
        way: int(subprocess.run([sys.executable, "-c", FAULTS, way], capture_output=True, text=True, check=True).stdout)
        for way in ("keep", "usual")
    }
    assert faults["keep"] < 0.1 * faults["usual"], faults
