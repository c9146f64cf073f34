# SPDX-License-Identifier: Apache-2.0
"""Plain 8-bit pictures: grey or RGB PNG files in a zip or folder, laid out as the reference's dataset archives.

Members: any *.png (the reference writes 00000/img00000000.png, ...) and, where there are labels, `dataset.json`
{"labels": [["00000/img00000000.png", 6], ...]} or {"labels": null}; int labels become one-hot, lists of floats stay.
Axis order [N, C, F, T] = [N, C, height, width], row 0 the uppermost. Values 0..255 as stored, -1..1 in model space.
"""

import io
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.picture_files import Labels, open_files, read_labels

PNG_HEAD = b"\x89PNG\r\n\x1a\n"
HEAD_BYTES = 26  # signature, then the IHDR chunk up to its colour type
CHANNELS = {0: 1, 2: 3}  # PNG colour types: grey, RGB
COLOUR_NAMES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
HALF_RANGE = 127.5  # 0..255 <-> -1..1


class PictureArchive:
    """A dataset of 8-bit pictures of one size and kind, read from many threads and (after a fork) processes.

    Args:
        path: a zip or a folder.
        conditional: give the labels of dataset.json to the networks; without it c_dim is 0.
        mirror: double the set by left-right flips: item i + n is item i flipped.

    Raises:
        NetworkError: no such archive, no pictures, pictures of several kinds (the first other one named), bad labels.
    """

    def __init__(self, path: Path, *, conditional: bool = False, mirror: bool = False) -> None:
        self.path = Path(path)
        self.mirror = mirror
        self._files = open_files(self.path)
        self.names = sorted(filter(_is_picture, self._files.sizes))
        if not self.names:
            raise NetworkError(f"{path}: holds no .png files; 8-bit grey or RGB pictures are needed")
        self.shape = self._common_shape()
        self._labels = read_labels(self._files, self.names) if conditional else Labels.none(len(self.names))

    @property
    def c_dim(self) -> int:
        """Length of a label vector, 0 where the set is unconditional."""
        return self._labels.size

    @property
    def digest(self) -> str:
        """A hash that tells this set from another: names, sizes and, in a zip, checksums of all members."""
        return self._files.digest

    def __len__(self) -> int:
        return len(self.names) * (2 if self.mirror else 1)

    def pictures(self, indices: np.ndarray) -> Tensor:
        """Read pictures as stored. Shape: [n] -> [n, C, F, T], float32, 0..255."""
        if len(indices) == 0:
            return torch.empty((0, *self.shape))
        return torch.from_numpy(np.stack([self._picture(int(index)) for index in indices]))

    def labels(self, indices: np.ndarray) -> Tensor:
        """Return label vectors. Shape: [n] -> [n, K], float32."""
        return torch.from_numpy(self._labels.vectors(np.asarray(indices, np.int64) % len(self.names)))

    def to_model(self, pictures: Tensor) -> Tensor:
        """Bring 0..255 to -1..1."""
        return to_model(pictures)

    def from_model(self, pictures: Tensor) -> Tensor:
        """Bring -1..1 back to 0..255, rounded and clipped, uint8."""
        return from_model(pictures)

    def preview(self, pictures: Tensor) -> Tensor:
        """Pictures to look at. Shape: [N, C, F, T] -> [N, F, T, 3], uint8."""
        return preview(pictures)

    def _picture(self, index: int) -> np.ndarray:
        flipped, item = divmod(index, len(self.names))
        picture = _decode(self.names[item], self._files.read(self.names[item]), self.shape)
        return picture[:, :, ::-1] if flipped else picture

    def _common_shape(self) -> tuple[int, int, int]:
        first = self._shape_of(self.names[0])
        for name in self.names[1:]:
            shape = self._shape_of(name)
            if shape != first:
                raise NetworkError(
                    f"{self.path}: {name} is {_describe(shape)}, {self.names[0]} is {_describe(first)}; "
                    "all pictures must be of one size and kind"
                )
        return first

    def _shape_of(self, name: str) -> tuple[int, int, int]:
        head = self._files.read(name, HEAD_BYTES)
        if len(head) < HEAD_BYTES or not head.startswith(PNG_HEAD):
            raise NetworkError(f"{self.path}: {name} is not a PNG file")
        width, height, bits, colour = struct.unpack(">IIBB", head[16:HEAD_BYTES])
        if bits != 8 or colour not in CHANNELS:
            kind = f"{bits}-bit {COLOUR_NAMES.get(colour, 'unknown')}"
            raise NetworkError(f"{self.path}: {name} is {kind}; 8-bit grey or RGB is needed")
        return CHANNELS[colour], height, width


def to_model(pictures: Tensor) -> Tensor:
    """Bring stored values 0..255 to model space -1..1."""
    return pictures.to(torch.float32) / HALF_RANGE - 1


def from_model(pictures: Tensor) -> Tensor:
    """Bring model space back to 0..255: rounded, clipped, uint8. Exact inverse of `to_model` on stored values."""
    return ((pictures + 1) * HALF_RANGE).round().clamp(0, 255).to(torch.uint8)


def preview(pictures: Tensor) -> Tensor:
    """Model-space grey or RGB as pictures to look at. Shape: [N, C, F, T] -> [N, F, T, 3], uint8 on the CPU.

    Raises:
        NetworkError: other than 1 or 3 channels.
    """
    if pictures.ndim != 4 or pictures.shape[1] not in CHANNELS.values():
        raise NetworkError(f"preview: shape {tuple(pictures.shape)} given, [N, 1 or 3, F, T] needed")
    return from_model(pictures.detach().cpu()).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous()


def _decode(name: str, data: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """One PNG as float32. Shape: -> [C, F, T]."""
    from PIL import Image  # only the picture dataset needs pillow

    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            values = np.asarray(picture, np.float32)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NetworkError(f"{name}: can't be decoded ({str(error)[:100]})") from error
    channels_first = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    if channels_first.shape != shape:  # transparency by a tRNS chunk, say
        raise NetworkError(f"{name}: decodes to {channels_first.shape}, its head says {shape}")
    return channels_first


def _is_picture(name: str) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
    return name.lower().endswith(".png") and not hidden


def _describe(shape: tuple[int, int, int]) -> str:
    return f"{'grey' if shape[0] == 1 else 'RGB'} {shape[1]}x{shape[2]} (height x width)"
