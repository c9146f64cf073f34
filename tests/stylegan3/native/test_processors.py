# SPDX-License-Identifier: Apache-2.0
"""The CPU's library is written for any processor, whatever its vectors hold."""

import platform
import subprocess
from functools import cache

import pytest
import torch
import torch.nn.functional as F

from stylegan3.ops.halving import doubled, halved
from stylegan3.ops.native import cpu
from stylegan3.ops.native.build import HERE
from stylegan3.ops.winograd import winograd
from tests.stylegan3.native import tiles
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


@pytest.mark.parametrize("way", ["whole", "halved", "doubled"])
def test_without_tile_registers_winograds_way_serves(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if tiles.why_not_in_registers():
        pytest.skip("the other tests' library is such a one")
    monkeypatch.setattr(cpu, "library", tiles.without)
    mine = {"whole": lambda x, w: winograd(x, w, 1), "halved": halved, "doubled": doubled}[way]
    right = {
        "whole": lambda x, w: F.conv2d(x, w, padding=1),
        "halved": lambda x, w: F.conv2d(x, w, stride=2),
        "doubled": lambda x, w: F.conv_transpose2d(x, w, stride=2),
    }[way]
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 40, 21, 17, generator=draw).bfloat16().requires_grad_()
    w = torch.randn(40, 40, 3, 3, generator=draw).requires_grad_()
    exact = [t.detach().double().requires_grad_() for t in (x, w)]
    y, theirs = mine(x, w), right(*exact)
    g = torch.randn(theirs.shape, generator=draw).bfloat16()
    found = (y.detach(), *torch.autograd.grad(y, (x, w), g))
    wanted = (theirs.detach(), *torch.autograd.grad(theirs, exact, g.double()))
    errors = [float((a.double() - b).norm() / b.norm()) for a, b in zip(found, wanted, strict=True)]
    print(f"errors {errors}, allowed 4e-3 to 2e-2")
    assert all(4e-3 < error < 2e-2 for error in errors)  # of sums of rounded tiles; tap after tap 2.9e-3
