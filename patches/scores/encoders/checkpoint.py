# SPDX-License-Identifier: Apache-2.0
"""Read a TensorFlow checkpoint (tensor bundle, format V2) without TensorFlow: numbers alone, nothing is executed.

`PREFIX.index` is a LevelDB table (its table_format.md): blocks of prefix-compressed keys, found through an index block
that the last 48 bytes point at. Its keys are tensor names, its values protobuf messages (TensorFlow's
tensor_bundle.proto): BundleEntryProto {1 dtype, 2 shape {2 dim {1 size}}, 3 shard, 4 offset, 5 size}; the empty key
holds the header {1 shards, 2 endianness}. `PREFIX.data-00000-of-00001` holds the values, raw and little-endian.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from patches.errors import UserError

FOOTER_BYTES = 48
MAGIC = 0xDB4775248B80FB57
FLOAT32 = 1  # DT_FLOAT
DATA = ".data-00000-of-00001"
Fields = dict[int, list[int | bytes]]


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in the data file. `dtype` is TensorFlow's number."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


def read_index(path: Path) -> dict[str, Entry]:
    """List the tensors of a checkpoint by its index file.

    Raises:
        UserError: not such a table, or one that is compressed, damaged, big-endian or in several parts.
    """
    try:
        values = dict(_table(path.read_bytes()))
        header = _fields(values.pop(b"", b""))
        if header.get(1, [0]) != [1] or header.get(2, [0]) != [0]:
            raise ValueError("its data is big-endian or in several parts")
        return {key.decode(): _entry(value) for key, value in values.items()}
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path}: no checkpoint index that can be read ({error}); install its package again") from error


def read_floats(index: Path, entries: dict[str, Entry]) -> dict[str, np.ndarray]:
    """Read float32 tensors, C order, of the data file beside an index.

    Raises:
        UserError: another dtype, or data that ends too early.
    """
    path = index.with_name(index.name.removesuffix(".index") + DATA)
    if not path.is_file():
        raise UserError(f"{path}: isn't there; install its package again")
    data, out = path.read_bytes(), {}
    for name, entry in entries.items():
        count = math.prod(entry.shape)
        whole = entry.shard == 0 and 0 <= entry.offset <= len(data) - entry.size and entry.size == 4 * count
        if entry.dtype != FLOAT32 or not whole:
            raise UserError(f"{path}: {name} isn't there as float32 {list(entry.shape)}; install its package again")
        out[name] = np.frombuffer(data, "<f4", count, entry.offset).reshape(entry.shape)
    return out


def _table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the keys and values of a LevelDB table, in order."""
    footer = data[-FOOTER_BYTES:]
    if len(footer) < FOOTER_BYTES or int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError("another kind of file")
    _, at = _handle(footer, 0)  # of the meta index, which is empty
    index, _ = _handle(footer, at)
    for _, value in _block(data, index):
        place, _ = _handle(value, 0)
        yield from _block(data, place)


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Read where a block lies: ((offset, size), position behind it)."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _block(data: bytes, place: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    """Give the entries of a block: each key shares its beginning with the one before."""
    offset, size = place
    if offset + size >= len(data) or size < 4 or data[offset + size] != 0:
        raise ValueError("damaged, or a compressed block")
    block = data[offset : offset + size]
    end = size - 4 * (1 + int.from_bytes(block[-4:], "little"))  # before the restart points
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _entry(message: bytes) -> Entry:
    fields = _fields(message)
    sizes = [_fields(_bytes(dim)).get(1, [0])[0] for dim in _fields(_bytes(fields.get(2, [b""])[0])).get(2, [])]
    dtype, shard, offset, size = (_number(fields.get(field, [0])[0]) for field in (1, 3, 4, 5))
    return Entry(dtype, tuple(_number(one) for one in sizes), shard, offset, size)


def _fields(message: bytes) -> Fields:
    """Split a protobuf message into its fields by number: integers, or bytes."""
    fields: Fields = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value: int | bytes
        if tag & 7 == 0:
            value, at = _varint(message, at)
        else:
            length, at = _varint(message, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
            value, at = message[at : at + length], at + length
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte, the lowest first: (number, position behind it)."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a field of another type")
    return value


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a field of another type")
    return value
