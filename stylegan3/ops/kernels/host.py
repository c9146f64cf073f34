# SPDX-License-Identifier: Apache-2.0
"""What every kernel's launch needs: types of the arithmetic, layouts, and which tensors are served."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from stylegan3.ops.plans import Terms

INTERPRETED = bool(triton.knobs.runtime.interpret)  # fixed when kernels are made: numpy runs them, on the CPU
KINDS: dict[torch.dtype, Any] = {torch.float32: tl.float32, torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}
FUSION = {"enable_fp_fusion": True}  # a multiply and an add in one step; said aloud, as triton's default is moving
LIMIT = 2**31  # offsets within one picture are 32 bits


def unserved(x: Tensor) -> str | None:
    """Return why no kernel serves a tensor, or None."""
    if INTERPRETED:
        return None if x.dtype in KINDS or x.dtype == torch.float64 else f"{x.dtype} is not served"
    if x.device.type != "cuda":
        return f"a tensor on {x.device.type}: Triton's kernels run on CUDA devices"
    if torch.cuda.get_device_capability(x.device) < (8, 0):
        return "compute capability below 8.0"
    if x.dtype not in KINDS:
        return f"{x.dtype}: float32, float16 and bfloat16 are served"
    return None


def too_long(x: Tensor, *sizes: tuple[int, int]) -> str | None:
    """Return why offsets within a picture of x [N, C, H, W], or of one of other sizes, pass 32 bits, or None."""
    reach = sum((n - 1) * abs(s) for n, s in zip(x.shape[1:], x.stride()[1:], strict=True)) + 1
    longest = max([reach, *(x.shape[1] * h * w for h, w in sizes)])
    return f"pictures of {longest} samples: {LIMIT - 1} are served" if longest >= LIMIT else None


def sum_type(dtype: torch.dtype) -> Any:
    """Return the type of sums: float32, or float64 for float64 (in the interpreter alone)."""
    return tl.float64 if dtype == torch.float64 else tl.float32


def arithmetic(dtype: torch.dtype) -> dict[str, Any]:
    """Return the types of the products of filtered.py.

    Factors are rounded to the tensor's type; the interpreter has no product of bfloat16, so it holds them as float32,
    which is the same number. Float32 is exact ("ieee") unless torch's own products may be TF32.
    """
    rounded = KINDS.get(dtype, tl.float64)
    held = tl.float32 if INTERPRETED and dtype == torch.bfloat16 else rounded
    precision = "tf32" if dtype == torch.float32 and torch.backends.cuda.matmul.allow_tf32 else "ieee"
    return {"ROUND": rounded, "FACTOR": held, "PRECISION": precision, "SUM": sum_type(dtype)}


def on_device(x: Tensor) -> Any:
    """Return a context in which kernels are launched where x lies."""
    return torch.cuda.device_of(x)


@cache  # for good: a captured graph reads them where they are
def taps_of(terms: Terms, kind: torch.dtype, device: torch.device) -> Tensor:
    """Return the taps of all terms on a device, rows and columns in turn; made once."""
    taps = tuple(t for rows, columns in terms for t in rows.taps + columns.taps)
    with torch.inference_mode(False):
        return torch.tensor(taps, dtype=kind, device=device)
