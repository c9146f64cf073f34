# SPDX-License-Identifier: Apache-2.0
"""Files for tests, written byte by byte: protobuf messages, ONNX graphs, TorchScript archives."""

import struct
import warnings
from pathlib import Path

import torch

FLOAT, UINT8, INT64 = 1, 2, 7  # onnx.TensorProto.DataType


def varint(value: int) -> bytes:
    """Write 7 bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | str | bytes) -> bytes:
    """Write a field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def _value(name: str, dtype: int, axes: tuple[str | int, ...]) -> bytes:
    """Write a ValueInfoProto; axes with names are of any size."""
    dims = b"".join(field(1, field(2, one) if isinstance(one, str) else field(1, one)) for one in axes)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, dims)))


def _model(nodes: list[bytes], given: bytes, made: bytes, constants: bytes = b"") -> bytes:
    graph = b"".join(field(1, node) for node in nodes) + field(2, "g") + constants + field(11, given) + field(12, made)
    return field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)


def frames_onnx(path: Path) -> Path:
    """Write a graph that cuts sounds [N, L] into frames of four samples [N, L / 4, 4]."""
    shape = field(1, 3) + field(2, INT64) + field(8, "shape") + field(9, struct.pack("<3q", 0, -1, 4))
    node = field(1, "x") + field(1, "shape") + field(2, "y") + field(4, "Reshape")
    given, made = _value("x", FLOAT, ("N", "L")), _value("y", FLOAT, ("N", "T", 4))
    path.write_bytes(_model([node], given, made, field(5, shape)))
    return path


def colours_onnx(path: Path) -> Path:
    """Write a graph that gives the mean colour of pictures [N, 3, H, W] -> [N, 3, 1, 1]."""
    node = field(1, "x") + field(2, "y") + field(4, "GlobalAveragePool")
    given, made = _value("x", FLOAT, ("N", 3, "H", "W")), _value("y", FLOAT, ("N", 3, 1, 1))
    path.write_bytes(_model([node], given, made))
    return path


class Loudness(torch.nn.Module):
    """Sounds [N, L] -> root-mean-square and peak [N, 2]."""

    def forward(self, sounds: torch.Tensor) -> torch.Tensor:
        return torch.stack([sounds.square().mean(1).sqrt(), sounds.abs().amax(1)], 1)


class Colours(torch.nn.Module):
    """Pictures uint8 [N, 3, H, W] -> mean colours [N, 3]."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.float().mean((2, 3))


def torchscript(path: Path, module: torch.nn.Module, example: torch.Tensor) -> Path:
    """Write a module as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(module, example), str(path))
    return path
