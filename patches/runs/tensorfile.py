# SPDX-License-Identifier: Apache-2.0
"""Tensors and a JSON header in one safetensors file, written whole or not at all.

The header stands as sorted JSON under ONE metadata key: equal content gives equal bytes (several keys would be written
in hash order). No pickle is read or written, so opening a file never executes anything.

Format: safetensors (Hugging Face): 8-byte little-endian length, JSON index, raw little-endian data. The library reads
it; written it is here, tensor by tensor, so that a state of a gigabyte never stands in memory twice, and so that
equal content gives equal bytes whatever the library's version.
"""

import errno
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from patches.errors import UserError
from spect.files import whole_file

KEY = "sg3-spect"
VERSION = 1
CODES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
ALIGNMENT = 8  # bytes; the index is padded with blanks


def save(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and header to `path`; a former file there stays whole until the new one is.

    Raises:
        UserError: the disk is full or the folder can't be written; nothing is left behind.
    """
    text = json.dumps({"format_version": VERSION, **header}, sort_keys=True, allow_nan=False)
    try:
        with whole_file(path) as file:
            _write(file, dict(sorted(tensors.items(), key=_place)), text)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else error.strerror or str(error)
        raise UserError(
            f"{path}: can't be written ({reason}); the former snapshots are whole: free some space and resume"
        ) from error


def _place(named: tuple[str, Tensor]) -> tuple[int, str]:
    """Order of a tensor in a file: wide values first, so that all are aligned, then by name."""
    return -named[1].element_size(), named[0]


def _write(file: BinaryIO, tensors: Mapping[str, Tensor], header: str) -> None:
    index: dict[str, Any] = {"__metadata__": {KEY: header}}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.numel() * tensor.element_size()
        index[name] = {"dtype": CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(index, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    file.write(len(text).to_bytes(8, "little") + text)
    for tensor in tensors.values():
        file.write(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def read_header(path: Path) -> dict[str, Any]:
    """Return the header of a file written by `save`.

    Raises:
        UserError: no such file, truncated, not of this project, or written by a newer version.
    """
    with _opened(path) as file:
        return _header(path, file)


def load(
    path: Path, prefix: str = "", *, wanted: Callable[[str], bool] = lambda name: True
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors whose names begin with `prefix` (without it) and are `wanted`, and the header.

    Raises:
        UserError: as `read_header`.
    """
    with _opened(path) as file:
        header = _header(path, file)
        names = [name for name in file.keys() if name.startswith(prefix) and wanted(name)]  # noqa: SIM118 (no dict)
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}, header


def digest(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise UserError(f"{path}: not a whole .safetensors file ({error}); take another snapshot") from error


def _header(path: Path, file: Any) -> dict[str, Any]:
    metadata = file.metadata() or {}
    if KEY not in metadata:
        raise UserError(f"{path}: a .safetensors file of another program (no '{KEY}' header)")
    try:
        header: dict[str, Any] = json.loads(metadata[KEY])
        version = int(header["format_version"])
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: its header is damaged ({error}); take another snapshot") from error
    if version > VERSION:
        raise UserError(
            f"{path}: written by a newer sg3-spect (format {version}, this one reads up to {VERSION}); "
            "update the program"
        )
    return header


def is_finite(tensors: Mapping[str, Tensor]) -> bool:
    """Whether every floating value is finite."""
    return all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point())
