# SPDX-License-Identifier: Apache-2.0
"""In which precision a training computes: what --precision names, and which one suits a device.

Both ends of G and D, weights, statistics and losses are float32 in each of them; what differs lies between.
"""

import torch

from patches.errors import UserError
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.native import cpu

INNER = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Type of the activations between the float32 ends."""
NAMES = ("auto", *INNER)
TENSOR_CORES, BFLOAT = (7, 0), (8, 0)
"""Compute capabilities from which float16 is fast, and bfloat16 and TF32 are there."""


def suited(device: torch.device, ops: Impl) -> tuple[str, str]:
    """Choose for a device and the operations that are asked for; return the name and the reason."""
    if device.type == "cpu":
        why = "--ops=reference" if ops == "reference" else cpu.why_no_bfloat16()
        if why is not None:
            return "fp32", why
        return "bf16", "between float32 ends: this CPU multiplies it faster, as much is learned (docs/precision.md)"
    capability = torch.cuda.get_device_capability(device)
    if capability >= TENSOR_CORES:
        return "fp16", "between float32 ends: this card's tensor cores; a bit in 2^11 is lost, with bf16 one in 2^8"
    return "fp32", f"compute capability {capability[0]}.{capability[1]}: no tensor cores"


def check_precision(name: str, device: torch.device) -> None:
    """See that a device has a precision.

    Raises:
        UserError: it doesn't.
    """
    if name == "tf32" and device.type == "cpu":
        raise UserError("--precision=tf32: a CPU has no TF32; give auto, fp32 or bf16")
    if name in ("tf32", "bf16") and device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability < BFLOAT:
            raise UserError(
                f"--precision={name}: needs compute capability 8.0, this card has {capability[0]}.{capability[1]}; "
                "give auto, fp32 or fp16"
            )


def set_tf32(name: str) -> None:
    """Let CUDA's float32 products keep 10 bits where TF32 was asked for, and all 23 elsewhere."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = name == "tf32"
