# SPDX-License-Identifier: Apache-2.0
"""A small dataset wholly in memory or on the device, in model space: its views are computed once, not every epoch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from stylegan3.training.setup import Dataset
from stylegan3.training.transfer import onto

AT_A_TIME = 32  # pictures that are brought to model space together


class Cached:
    """A dataset whose pictures stand ready in model space.

    Args:
        dataset: what is kept.
        computed_on: the device that brings pictures to model space.
        kept_on: the device that keeps them.
        advance: told of so many pictures done.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        computed_on: torch.device,
        kept_on: torch.device,
        advance: Callable[[int], None] = lambda pictures: None,
    ) -> None:
        self._dataset = dataset
        self._kept = torch.empty(len(dataset), *dataset.shape, device=kept_on)
        for first in range(0, len(dataset), AT_A_TIME):
            indices = np.arange(first, min(first + AT_A_TIME, len(dataset)))
            stored = dataset.pictures(indices).to(computed_on)
            self._kept[first : first + len(indices)] = dataset.to_model(stored)
            advance(len(indices))

    def __len__(self) -> int:
        return len(self._dataset)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, F, T) of one picture."""
        return self._dataset.shape

    @property
    def c_dim(self) -> int:
        """K, the length of a label; 0 without labels."""
        return self._dataset.c_dim

    @property
    def digest(self) -> str:
        """What names the data."""
        return self._dataset.digest

    def pictures(self, indices: np.ndarray) -> Tensor:
        """Return pictures in model space. Shape: [N, C, F, T]."""
        return self._kept[onto(torch.from_numpy(indices), self._kept.device)]

    def labels(self, indices: np.ndarray) -> Tensor:
        """Return the labels. Shape: [N, K], float32."""
        return self._dataset.labels(indices)

    def to_model(self, pictures: Tensor) -> Tensor:
        """Return what is there already. Shape: [N, C, F, T]."""
        return pictures


def cache_bytes(dataset: Dataset) -> int:
    """Return what a dataset takes in model space."""
    return 4 * len(dataset) * int(np.prod(dataset.shape))
