# SPDX-License-Identifier: Apache-2.0
"""Every kernel compiles for cards of compute capability 8.0 and 9.0 on a machine that has none.

In a process of its own: the kernels of this one belong to the interpreter.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

ROOT = Path(__file__).parents[3]
SHARED_MEMORY = {80: 163 * 1024, 90: 227 * 1024}  # a block's share, CUDA C++ programming guide, table of capabilities
PROGRAM = """
import dataclasses, json, sys
from stylegan3.ops.kernels.aot import cases, compile_case
capability, *words = sys.argv[1:]
chosen = [c for c in cases() if not words or any(c.title.startswith(w) for w in words)]
print(json.dumps([dataclasses.asdict(compile_case(c, int(capability))) for c in chosen]))
"""
QUICK = (
    "lrelu 2/2 forward 26x26 w4 float16", "lrelu 2/2 gradient 20x20 w4 bfloat16", "lrelu 4/2 gradient 2x2 w4 float32",
    "resample 2/1 8x64x1 w4 float16", "styled forward, channels outermost float16",
    "styled gradients, channels outermost bfloat16",
)  # fmt: skip


def compiled(capability: int, folder: Path, *titles: str) -> list[dict[str, int]]:
    """Compile the cases of these titles (all without), none from triton's cache."""
    rest = {k: v for k, v in os.environ.items() if not k.startswith("TRITON")}
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(capability), *titles]
    environment = {**rest, "TRITON_CACHE_DIR": str(folder)}
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    rows: list[dict[str, int]] = json.loads(made.stdout)
    return rows


def check(row: dict[str, int]) -> None:
    assert row["code"] > 0
    assert row["shared"] <= SHARED_MEMORY[row["capability"]]
    assert row["registers"] <= 255
    assert row["stack"] <= 256  # spilled bytes a thread


@pytest.mark.parametrize("capability", [80, 90])
def test_each_kernel_compiles(capability: int, tmp_path: Path) -> None:
    rows = compiled(capability, tmp_path, *QUICK)
    assert len(rows) == len(QUICK)
    for row in rows:
        check(row)


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
def test_every_tiling_mode_and_type_compiles(capability: int, tmp_path: Path) -> None:
    for row in compiled(capability, tmp_path):
        check(row)
