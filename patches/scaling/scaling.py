# SPDX-License-Identifier: Apache-2.0
"""What every scaling is: canvas <-> model space, and its numbers as JSON."""

from typing import Any, ClassVar, Protocol

from torch import Tensor


class Scaling(Protocol):
    """Canvas <-> model space, batched, on any device; its numbers belong to the network and travel with it."""

    name: ClassVar[str]

    def to_model(self, canvas: Tensor) -> Tensor:
        """Scale. Shape: [..., C, F, T] -> same."""
        ...

    def from_model(self, picture: Tensor) -> Tensor:
        """Undo `to_model`. Shape: [..., C, F, T] -> same."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Give the parameters as JSON types, with "name"."""
        ...
