# SPDX-License-Identifier: Apache-2.0
"""A picture encoder from a local file, for the seeds' FID: an Inception, or any other, fed with a view's previews.

The file is TorchScript or ONNX (file.py). It takes uint8 [N, 3, H, W] in 0 to 255 (an ONNX graph of floats: the same
numbers), at whatever size the previews have: resizing and normalising are its own business, as in the usual Inception
exports. It gives [N, d], or maps [N, d, 1, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from patches.errors import UserError
from patches.runs.tensorfile import digest
from patches.scores.encoders.file import DIGITS, open_graph

AT_A_TIME = 32  # pictures


@dataclass(frozen=True)
class PictureEncoder:
    """A network that encodes pictures; called, it gives embeddings. `name` and `version` as in Encoder."""

    name: str
    version: str
    function: Callable[[Tensor], Tensor]

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> Tensor:
        """Embed pictures, some at a time.

        Shape: uint8 [N, 3, H, W] -> [N, d] float32.

        Raises:
            UserError: other pictures, or a network that gives something else.
        """
        if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3 or 0 in pictures.shape:
            found = f"{str(pictures.dtype).removeprefix('torch.')} {list(pictures.shape)}"
            raise UserError(f"{self.name}: encodes pictures uint8 [at least 1, 3, H, W], got {found}")
        return torch.cat([self._part(part) for part in pictures.split(AT_A_TIME)])

    def _part(self, pictures: Tensor) -> Tensor:
        out = self.function(pictures).float()
        flat = out.flatten(1) if out.ndim == 4 and out.shape[2:] == (1, 1) else out
        if flat.ndim != 2 or flat.shape[0] != pictures.shape[0]:
            raise UserError(f"{self.name}: {pictures.shape[0]} pictures became {list(out.shape)}, [N, d] was wanted")
        return flat


def picture_encoder(path: Path) -> PictureEncoder:
    """Open a picture encoder.

    Raises:
        UserError: no such file, or one of another kind.
    """
    function = open_graph(path)
    return PictureEncoder(path.stem, f"{path.name} {digest(path)[:DIGITS]}", function)


def previews(drawn: Tensor) -> Tensor:
    """Bring a view's previews to a picture encoder's order. Shape: uint8 [N, H, W, 3] -> [N, 3, H, W]."""
    return drawn.permute(0, 3, 1, 2).contiguous()
