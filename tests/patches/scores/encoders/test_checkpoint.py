# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's checkpoints: a table built here by hand comes back, and what is another file is told so."""

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest

from patches.errors import UserError
from patches.scores.encoders.checkpoint import DATA, MAGIC, Entry, read_floats, read_index
from tests.patches.scores.encoders.graphs import field, varint

KERNEL = np.arange(6, dtype="<f4").reshape(2, 3)
BIAS = np.asarray([0.5, -1.5], "<f4")
STEP = np.asarray(7.0, "<f4")


def block(entries: list[tuple[bytes, bytes]], compression: int = 0) -> bytes:
    """Write a block whose keys share what they can with the key before; one restart point."""
    out, former = b"", b""
    for key, value in entries:
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, former, strict=False)) if a != b), min(len(key), len(former))
        )
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        former = key
    return out + struct.pack("<2I", 0, 1) + bytes([compression]) + bytes(4)  # the checksum isn't read


def handle(offset: int, written: bytes) -> bytes:
    return varint(offset) + varint(len(written) - 5)


def table(blocks: list[list[tuple[bytes, bytes]]], compression: int = 0) -> bytes:
    """Write a LevelDB table."""
    out, index = b"", []
    for entries in blocks:
        written = block(entries, compression)
        index.append((entries[-1][0], handle(len(out), written)))
        out += written
    meta = block([])
    at_meta, out = handle(len(out), meta), out + meta
    written = block(index)
    footer = at_meta + handle(len(out), written)
    return out + written + footer.ljust(40, b"\0") + MAGIC.to_bytes(8, "little")


def entry(values: np.ndarray, offset: int, dtype: int = 1) -> bytes:
    shape = b"".join(field(2, field(1, size)) for size in values.shape)
    place = field(4, offset) if offset else b""
    return field(1, dtype) + field(2, shape) + place + field(5, values.nbytes) + varint(6 << 3 | 5) + bytes(4)


def checkpoint(folder: Path, *, header: bytes = field(1, 1), dtype: int = 1, compression: int = 0) -> Path:
    """Write a checkpoint of three tensors in two blocks; return its index."""
    tensors = [(b"dense/bias", BIAS), (b"dense/kernel", KERNEL), (b"step", STEP)]
    ends = np.cumsum([0, *(values.nbytes for _, values in tensors)])
    entries = [(name, entry(values, int(at), dtype)) for (name, values), at in zip(tensors, ends, strict=False)]
    index = folder / "tiny.index"
    index.write_bytes(table([[(b"", header), *entries[:2]], entries[2:]], compression))
    (folder / f"tiny{DATA}").write_bytes(b"".join(values.tobytes() for _, values in tensors))
    return index


def test_names_shapes_and_values_come_back(tmp_path: Path) -> None:
    index = checkpoint(tmp_path)
    entries = read_index(index)
    assert entries == {
        "dense/bias": Entry(1, (2,), 0, 0, 8),
        "dense/kernel": Entry(1, (2, 3), 0, 8, 24),
        "step": Entry(1, (), 0, 32, 4),
    }
    values = read_floats(index, entries)
    np.testing.assert_array_equal(values["dense/kernel"], KERNEL)
    np.testing.assert_array_equal(values["dense/bias"], BIAS)
    assert values["step"] == STEP


@pytest.mark.parametrize(
    "wrong", [{"header": field(1, 2)}, {"header": field(1, 1) + field(2, 1)}, {"compression": 1}], ids=str
)
def test_parts_big_endian_and_compression_are_refused(tmp_path: Path, wrong: dict[str, bytes]) -> None:
    with pytest.raises(UserError, match=r"tiny\.index: no checkpoint index"):
        read_index(checkpoint(tmp_path, **wrong))


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.index").write_bytes(b"a text of some length, which is no table at all, only words")
    with pytest.raises(UserError, match="another kind of file"):
        read_index(tmp_path / "x.index")


@pytest.mark.parametrize("cut", range(1, 200, 7))
def test_a_damaged_index_never_breaks_the_reader(tmp_path: Path, cut: int) -> None:
    index = checkpoint(tmp_path)
    data = index.read_bytes()
    index.write_bytes(data[: cut - 1] + bytes([data[cut - 1] ^ 0xFF]) + data[cut:])
    with contextlib.suppress(UserError):  # any other error would end a run with a traceback
        read_floats(index, read_index(index))


def test_integers_and_data_that_ends_early_are_refused(tmp_path: Path) -> None:
    index = checkpoint(tmp_path, dtype=3)
    with pytest.raises(UserError, match="dense/bias isn't there as float32"):
        read_floats(index, read_index(index))
    index = checkpoint(tmp_path)
    data = tmp_path / f"tiny{DATA}"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(UserError, match="step isn't there as float32"):
        read_floats(index, read_index(index))
