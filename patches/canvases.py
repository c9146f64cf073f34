# SPDX-License-Identifier: Apache-2.0
"""The dataset of a sound GAN: canvases of an archive, read by memory map, float32 of four channels from disk to device.

Takes the place of an 8-bit RGB picture dataset (stylegan3/'s Dataset protocol). No statistic of the data is touched
here: the view is computed in `to_model`, batched, on the training device.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from patches.conditions import conditions_of
from patches.errors import UserError
from patches.views import View
from spect.archives.opening import AnyArchive


class Canvases:
    """Items of an archive as a training set.

    Args:
        archive: opened; its pages are shared by every process that maps the same file.
        view: what the network sees.
        indices: the archive's items to use; None: its train split.
        conditional: which of the archive's labels a network is told (patches/conditions.py); False: none (K = 0).

    Raises:
        UserError: no items, or labels asked for and absent.
    """

    def __init__(
        self, archive: AnyArchive, view: View, indices: np.ndarray | None = None, *, conditional: bool | str = False
    ) -> None:
        self.archive = archive
        self.view = view
        self.indices = np.asarray(archive.train if indices is None else indices, dtype=np.int64)
        self.conditions = conditions_of(archive, conditional)
        if not len(self.indices):
            raise UserError(
                f"{archive.path}: no items to train on; build the archive with more files or less --holdout"
            )

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, F, T) in model space."""
        return self.view.shape

    @property
    def c_dim(self) -> int:
        """K, the length of a label vector; 0 without labels."""
        return self.conditions.size

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the first classes that are learned; none without."""
        return self.conditions.classes

    @property
    def digest(self) -> str:
        """SHA-256 of the archive's summary, which holds those of its contents."""
        return self.archive.digest

    @property
    def unlabelled(self) -> tuple[int, ...]:
        """How many items have no label, for each set that is learned."""
        return self.conditions.without(self.archive, self.indices)

    def pictures(self, indices: np.ndarray) -> Tensor:
        """Copy canvases as stored. Shape: int64 [n] -> float32 [n, 4, F', T'] on the CPU."""
        return torch.from_numpy(self.archive.canvases(self.indices[indices]))

    def labels(self, indices: np.ndarray) -> Tensor:
        """Give what a network is told of items. Shape: int64 [n] -> float32 [n, K]."""
        return torch.from_numpy(self.conditions.of_items(self.archive, self.indices[indices]))

    def to_model(self, pictures: Tensor) -> Tensor:
        """Go to model space on the pictures' device. Shape: [n, 4, F', T'] as stored -> [n, C, F, T]."""
        return self.view.picture(self.archive.representation, pictures)
