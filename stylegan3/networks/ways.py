# SPDX-License-Identifier: Apache-2.0
"""How a network computes what it is: with which operations, and in which precision between its float32 ends."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stylegan3.errors import NetworkError
from stylegan3.ops.interfaces import Impl

REDUCED = (torch.float16, torch.bfloat16)
CLAMP = 256.0  # largest activation in reduced precision, as published


class Operated(nn.Module):
    """A module whose operations can be chosen; see compute_with.

    ``inner`` is the type of activations between float32 ends; weights, styles and statistics stay float32.
    """

    impl: Impl = "auto"
    inner: torch.dtype = torch.float32

    @property
    def reduced(self) -> bool:
        """Whether activations have less than float32's precision."""
        return self.inner in REDUCED

    @property
    def cramped(self) -> bool:
        """Whether activations have less than float32's range, so that what is large or small must be scaled first."""
        return self.inner == torch.float16


def compute_with(network: nn.Module, impl: Impl = "auto", inner: torch.dtype = torch.float32) -> None:
    """Choose the operations (ops.engines) and the inner precision of all layers of a network.

    Raises:
        NetworkError: for a type that isn't float32, float16 or bfloat16.
    """
    if inner not in (torch.float32, *REDUCED):
        raise NetworkError(f"inner precision {inner}: allowed are torch.float32, float16 and bfloat16")
    for module in network.modules():
        if isinstance(module, Operated):
            module.impl, module.inner = impl, inner


def inside(x: Tensor, inner: torch.dtype) -> Tensor:
    """Return x in a layer's inner type; float64 networks stay what they are."""
    return x if x.dtype == torch.float64 else x.to(inner)
