# SPDX-License-Identifier: Apache-2.0
"""Tensors and a JSON header in one safetensors file, written whole or not at all.

The header stands as sorted JSON under ONE metadata key: equal content gives equal bytes (several keys would be written
in hash order). No pickle is read or written, so opening a file never executes anything.
Format: safetensors (Hugging Face), 8-byte length, JSON index, raw little-endian data.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from patches.errors import UserError

KEY = "sg3-spect"
VERSION = 1


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that replaces it, flushed to disk, only if the block succeeds."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def save(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and header to `path`; a former file there stays whole until the new one is.

    Raises:
        UserError: the disk is full or the folder can't be written; nothing is left behind.
    """
    metadata = {KEY: json.dumps({"format_version": VERSION, **header}, sort_keys=True, allow_nan=False)}
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        with whole_file(path) as temporary:
            save_file(ready, temporary, metadata=metadata)
    except (OSError, SafetensorError) as error:
        reason = "no space left on the disk" if "28" in str(error) or "space" in str(error) else str(error)
        raise UserError(
            f"{path}: can't be written ({reason}); the former files are whole; free some space and resume"
        ) from error


def read_header(path: Path) -> dict[str, Any]:
    """Return the header of a file written by `save`.

    Raises:
        UserError: no such file, truncated, not of this project, or written by a newer version.
    """
    with _opened(path) as file:
        return _header(path, file)


def load(path: Path, prefix: str = "") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors whose names begin with `prefix` (without it) and the header.

    Raises:
        UserError: as `read_header`.
    """
    with _opened(path) as file:
        header = _header(path, file)
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 (not a dict)
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
    header: dict[str, Any] = json.loads(metadata[KEY])
    if header["format_version"] > VERSION:
        raise UserError(
            f"{path}: written by a newer sg3-spect (format {header['format_version']}, this one reads {VERSION}); "
            "update the program"
        )
    return header


def flatten(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with `prefix.` before each name."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def is_finite(tensors: Mapping[str, Tensor]) -> bool:
    """Whether every floating value is finite."""
    return all(bool(torch.isfinite(t).all()) for t in tensors.values() if t.is_floating_point())
