# SPDX-License-Identifier: Apache-2.0
"""Constants that are computed with again and again: brought to a device once, so that nobody waits for them later."""

import torch
from torch import Tensor


class Resident:
    """A constant tensor and its copies, one for each device and type that asked.

    Args:
        values: on the CPU.
    """

    def __init__(self, values: Tensor) -> None:
        self._values = values
        self._copies: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def like(self, other: Tensor) -> Tensor:
        """Return the constant in another tensor's type on its device."""
        key = (other.device, other.dtype)
        if key not in self._copies:
            self._copies[key] = self._values.to(other)
        return self._copies[key]
