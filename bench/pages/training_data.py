# SPDX-License-Identifier: Apache-2.0
"""What the trainings of bench/train.py learn from: random canvases on disk, scaled and augmented as sounds are.

The default view's own parts, without patches/views, which needs more than torch and numpy.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from patches.augment.level import Gain, Polarity
from patches.augment.shift import Shift
from patches.augment.stereo import Pan, Swap, Width
from patches.augment.transform import Transform
from patches.scaling.compand import Compand

CHANNELS, PICTURES = 4, 128


@dataclass(frozen=True)
class Seen:
    """The default view, as far as an augmentation knows it: cmyk, companded; every row's scale is 1."""

    size: int
    name: ClassVar[str] = "cmyk"
    transforms: ClassVar[tuple[Transform, ...]] = (Shift(), Polarity(), Gain(), Width(), Swap(), Pan())
    on_request: ClassVar[tuple[Transform, ...]] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, F, T)."""
        return CHANNELS, self.size, self.size

    @property
    def augmentations(self) -> tuple[str, ...]:
        """Names of the transforms."""
        return tuple(transform.name for transform in self.transforms)

    @cached_property
    def _scaling(self) -> Compand:
        return Compand((1.0,) * self.size, dc=1.0)

    def to_model(self, canvas: Tensor) -> Tensor:
        """Compand. Shape: [N, C, F, T] -> same."""
        return self._scaling.to_model(canvas)

    def from_model(self, picture: Tensor) -> Tensor:
        """Undo that. Shape: [N, C, F, T] -> same."""
        return self._scaling.from_model(picture)


@dataclass(frozen=True)
class Stored:
    """Random canvases in a file, read as an archive's are: copied out of a mapped file, scaled on the device."""

    path: Path
    view: Seen
    c_dim: ClassVar[int] = 0
    digest: ClassVar[str] = "random"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, F, T)."""
        return self.view.shape

    @cached_property
    def mapped(self) -> np.ndarray:
        """The file. Shape: [n, C, F, T]."""
        return np.load(self.path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self.mapped)

    def pictures(self, indices: np.ndarray) -> Tensor:
        """Copy canvases. Shape: [N, C, F, T]."""
        return torch.from_numpy(self.mapped[indices])

    def labels(self, indices: np.ndarray) -> Tensor:
        """Return no labels. Shape: [N, 0]."""
        return torch.zeros(len(indices), 0)

    def to_model(self, pictures: Tensor) -> Tensor:
        """Compand. Shape: [N, C, F, T]."""
        return self.view.to_model(pictures)


def stored(folder: Path, size: int) -> Stored:
    """Write the canvases where they aren't yet."""
    path = folder / "pictures.npy"
    if not path.exists():
        rng = np.random.default_rng(0)
        np.save(path, 0.3 * rng.standard_normal((PICTURES, CHANNELS, size, size), dtype=np.float32))
    return Stored(path, Seen(size))
