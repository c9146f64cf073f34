# SPDX-License-Identifier: Apache-2.0
"""What is trained, on what, and how: the data, the networks, the numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.networks import DiscriminatorSpec, GeneratorSpec
from stylegan3.ops.interfaces import Impl


class Dataset(Protocol):
    """Pictures and labels, random access; safe to read from several threads."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, F, T) of one picture in model space."""

    @property
    def c_dim(self) -> int:
        """K, the length of a label; 0 without labels."""

    @property
    def digest(self) -> str:
        """What names the data whatever its place."""

    def __len__(self) -> int: ...

    def pictures(self, indices: np.ndarray) -> Tensor:
        """Return the pictures as stored, float32 on the CPU. Shape: [N, ...]."""

    def labels(self, indices: np.ndarray) -> Tensor:
        """Return the labels. Shape: [N, K], float32."""

    def to_model(self, pictures: Tensor) -> Tensor:
        """Bring stored pictures to model space, batched, on their device. Shape: [N, C, F, T]."""


class Augment(Protocol):
    """Random changes that keep a picture what it is: drawn first, then applied."""

    def draw(self, n: int, p: float, rng: torch.Generator) -> dict[str, Tensor]:
        """Draw the parameters for n pictures, each change with probability p; first axis n."""

    def __call__(self, pictures: Tensor, draws: dict[str, Tensor], *, readable: bool = True) -> Tensor:
        """Apply them, differentiably. Shape: [N, C, F, T] in model space, the same out.

        Args:
            readable: draws lie on the CPU, and what is computed may depend on them; else they lie where the pictures
                do, and the same is computed whatever they are.
        """


LOSS_SCALE = 1024.0
"""A picture's 10^6 values share a gradient of about 1/batch: 10^-5 each, where float16 keeps 4 bits of its 11."""

SheetWriter = Callable[[Path, str, Tensor], dict[str, Any]]
"""Write model-space pictures [N, C, F, T] into a folder under a name; returns what a log may show."""


@dataclass(frozen=True)
class Hyperparameters:
    """Numbers of the training; defaults are those of facts/stylegan.md, gamma and batch have none.

    Args:
        batch: pictures an iteration, over all `ranks`; `batch_gpu` of them at a time on each; `group` (minibatch
            stddev) is what must stay whole.
        ema_kimg: half-life of the generator's running mean; `ema_rampup` caps it to that share of the images so far.
        blur_sigma: first standard deviation of the blur on D's inputs (stylegan3-r), fading out over `blur_kimg`.
    """

    batch: int
    gamma: float
    batch_gpu: int | None = None
    group: int = 4
    g_lr: float = 0.0025
    d_lr: float = 0.002
    beta1: float = 0.0
    beta2: float = 0.99
    eps: float = 1e-8
    ema_kimg: float = 0.0
    ema_rampup: float = 0.05
    style_mixing: float = 0.0
    path_length_weight: float = 0.0
    path_length_decay: float = 0.01
    aug: str = "noaug"
    aug_p: float = 0.2
    ada_target: float = 0.6
    ada_interval: int = 4
    ada_kimg: float = 500.0
    blur_sigma: float = 0.0
    blur_kimg: float = 0.0
    freeze_d: int = 0
    seed: int = 0
    ranks: int = 1

    def __post_init__(self) -> None:
        if self.batch < 1 or self.batch % self.group_size:
            raise NetworkError(
                f"--batch={self.batch}: must be a multiple of the minibatch-stddev group {self.group_size}; give "
                f"--batch={-(-max(self.batch, 1) // self.group_size) * self.group_size}, or another --mbstd-group"
            )
        if self.groups % self.ranks:
            least = self.group_size * self.ranks
            raise NetworkError(
                f"--batch={self.batch}: {self.ranks} ranks share its {self.groups} minibatch-stddev groups of "
                f"{self.group_size}; give a multiple of {least}, such as --batch={-(-self.batch // least) * least}, "
                "another --gpus, or another --mbstd-group"
            )
        share = self.batch // self.ranks
        if self.round_size % self.group_size or share % self.round_size:
            whose = f"a rank's share of --batch={self.batch}, {share}," if self.ranks > 1 else f"--batch={self.batch}"
            raise NetworkError(
                f"--batch-gpu={self.batch_gpu}: must divide {whose} and be a multiple of {self.group_size}"
            )
        if self.gamma < 0:
            raise NetworkError(f"--gamma={self.gamma}: must not be negative")
        if self.aug not in ("noaug", "ada", "fixed"):
            raise NetworkError(f"--aug={self.aug}: must be noaug, ada or fixed")

    @property
    def group_size(self) -> int:
        """Pictures in a minibatch-stddev group; a smaller batch is one group."""
        return max(1, min(self.group, self.batch))

    @property
    def groups(self) -> int:
        """Groups in a batch."""
        return self.batch // self.group_size

    @property
    def round_size(self) -> int:
        """Pictures that are on a device at a time."""
        return self.batch // self.ranks if self.batch_gpu is None else self.batch_gpu


@dataclass(frozen=True)
class Setup:
    """Everything a training consists of, ready to run.

    Args:
        ops, inner: how networks are computed, and in which precision between their float32 ends (networks/ways.py).
    """

    dataset: Dataset
    generator: GeneratorSpec
    discriminator: DiscriminatorSpec
    hyper: Hyperparameters
    sheet: SheetWriter
    augment: Augment | None = None
    ops: Impl = "auto"
    inner: torch.dtype = torch.float32

    @property
    def loss_scale(self) -> float:
        """By which losses are multiplied before a backward pass, so that float16 holds the gradients inside."""
        return LOSS_SCALE if self.inner == torch.float16 else 1.0

    def __post_init__(self) -> None:
        for name, spec in (("generator", self.generator), ("discriminator", self.discriminator)):
            if tuple(spec.shape) != tuple(self.dataset.shape):
                raise NetworkError(f"the {name} makes pictures of {spec.shape}, the data's are {self.dataset.shape}")
        if self.hyper.aug != "noaug" and self.augment is None:
            raise NetworkError(
                f"--aug={self.hyper.aug}: there is no augmentation for this kind of data; use --aug=noaug"
            )
