# SPDX-License-Identifier: Apache-2.0
"""What the globals of a StyleGAN snapshot mean as data: the whole list of names that a .pkl may hold.

Arrays and tensors become torch tensors on the CPU, ordered and "easy" dicts plain dicts, persistent modules a
`PersistentModule` whose source text is dropped unread. Sizes are held against the bytes that are there.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stylegan3.errors import NetworkError
from stylegan3.legacy.machine import Meaning, Refused, Token, Value, unwrap

PERSISTENT_VERSION = 6
NUMBERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")  # numpy's codes
STORAGE_HEAD = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # torch.save's magic number (the form before zip files)
NUMPY_CORE = ("numpy.core.multiarray", "numpy._core.multiarray")  # numpy 1 and numpy 2


@dataclass(frozen=True, eq=False)
class PersistentModule:
    """A module as the reference saves it: the name of its class and its attributes."""

    class_name: str
    state: dict[str, Value]


@dataclass(frozen=True, eq=False)
class _Array:
    """A numpy array: empty until its state arrives."""

    values: np.ndarray


def persistent_module(meta: Value) -> PersistentModule:
    """The answer to the reference's own reconstruction function; `module_src` is never looked at."""
    if not isinstance(meta, dict) or not {"type", "version", "class_name", "state"} <= meta.keys():
        raise NetworkError("holds a module without type, version, class_name and state: not a StyleGAN snapshot")
    if meta["type"] != "class" or meta["version"] != PERSISTENT_VERSION:
        found = f"{str(meta['type'])[:20]!r} {str(meta['version'])[:20]}"
        raise NetworkError(f"holds a module saved as {found}; 'class' in version {PERSISTENT_VERSION} can be read")
    state = unwrap(meta["state"])
    if not isinstance(meta["class_name"], str) or not isinstance(state, dict):
        raise NetworkError("holds a module whose name or state is damaged")
    return PersistentModule(meta["class_name"], state)


def storage(data: Value) -> torch.Tensor:
    """The numbers of a tensor storage that torch.save wrote inside the pickle: a flat tensor.

    It is a pickle in itself, read by torch.load with weights_only=True; other forms (zip, tar) are refused first.
    """
    if not isinstance(data, bytes) or not data.startswith(STORAGE_HEAD):
        raise Refused("holds a nested file that is not a tensor storage of torch.save: refused")
    try:
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here; all mean the same to a reader
        reason = next((line for line in str(error).splitlines() if "GLOBAL" in line.upper()), "damaged or hostile")
        raise Refused(f"holds a nested tensor storage that torch refuses ({reason.strip()[:160]})") from error
    if isinstance(loaded, torch.storage.TypedStorage):
        return torch.tensor([], dtype=loaded.dtype).set_(loaded)
    raise Refused(f"holds a nested {type(loaded).__name__} where a tensor storage belongs: refused")


def tensor(flat: Value, offset: Value, size: Value, stride: Value, *_: Value) -> torch.Tensor:
    """A view of a storage; a view that would reach past it, or hold more values than it has, is refused."""
    if not isinstance(flat, torch.Tensor) or flat.ndim != 1 or not _sizes(size) or not _sizes(stride):
        raise TypeError("a tensor without storage, size or strides")
    if not _sizes((offset,)) or len(size) != len(stride) or len(size) > 8:
        raise TypeError("a tensor with a damaged shape")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    count = math.prod(size)
    if count and (last >= flat.numel() or count > flat.numel()):
        raise NetworkError(f"holds a tensor of shape {size} on a storage of {flat.numel()} values: damaged or hostile")
    return torch.as_strided(flat, size, stride, offset) if count else flat.new_empty(size)


def parameter(data: Value, *_: Value) -> torch.Tensor:
    """A parameter is its tensor; hooks and gradients are dropped."""
    return _tensor_or_error(data)


def dtype(code: Value, *_: Value) -> np.dtype:
    """A plain number type in native byte order, as text ('f4', 'i8', ...): no objects, no text, no records."""
    if code not in NUMBERS:
        raise Refused(f"holds the numpy type {str(code)[:20]!r}, which is not a plain number: refused")
    return np.dtype(code)


def dtype_order(made: np.dtype, state: Value) -> np.dtype:
    """The second item of a dtype's state is its byte order; number types need nothing else of it."""
    if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
        raise TypeError("a numpy type with a damaged byte order")
    return made if state[1] == "|" else made.newbyteorder(state[1])


def scalar(kind: Value, data: Value) -> bool | int | float | complex:
    """One numpy number as Python's."""
    if not isinstance(kind, np.dtype) or not isinstance(data, bytes) or len(data) != kind.itemsize:
        raise TypeError("a numpy number without type or value")
    return np.frombuffer(data, kind)[0].item()


def array(cls: Value, *_: Value) -> _Array:
    """An ndarray, empty until its state arrives; subclasses are refused."""
    if not isinstance(cls, Token) or cls.name != "numpy.ndarray":
        raise Refused("builds a numpy array of an unknown class: refused")
    return _Array(np.empty(0))


def array_state(_: _Array, state: Value) -> _Array:
    """State (version, shape, dtype, column order, bytes)."""
    _, shape, kind, by_columns, data = map(unwrap, state)
    if not isinstance(kind, np.dtype) or not isinstance(data, bytes) or not _sizes(shape):
        raise TypeError("a numpy array without type, shape or values")
    return _Array(np.frombuffer(data, kind).reshape(shape, order="F" if by_columns else "C"))


def plain_dict(items: Value = ()) -> dict[str, Value]:
    """An OrderedDict or EasyDict: a plain dict of text keys."""
    if not all(isinstance(unwrap(pair), (list, tuple)) and isinstance(unwrap(pair)[0], str) for pair in items):
        raise TypeError("a dict with keys that are not text")
    return dict(map(unwrap, items))


def keep(made: Value, _: Value) -> Value:
    """Attributes of a dict (a state dict's version numbers): dropped."""
    return made


def to_tensor(value: Value) -> torch.Tensor | None:
    """A tensor or numpy array as a tensor, None for anything else."""
    inner = unwrap(value)
    if isinstance(inner, _Array):
        native = inner.values.astype(inner.values.dtype.newbyteorder("="))
        return torch.from_numpy(native)
    return inner if isinstance(inner, torch.Tensor) else None


def _tensor_or_error(value: Value) -> torch.Tensor:
    made = to_tensor(value)
    if made is None:
        raise TypeError("a parameter without a tensor")
    return made


def _sizes(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(n) is int and 0 <= n < 2**48 for n in values)


def _no_class(*_: Value) -> Value:
    raise Refused("calls numpy.ndarray, as no StyleGAN snapshot does: refused")


MEANINGS: Mapping[str, Meaning] = {
    "torch_utils.persistence._reconstruct_persistent_obj": Meaning(persistent_module),
    "collections.OrderedDict": Meaning(plain_dict, keep),
    "dnnlib.util.EasyDict": Meaning(plain_dict, keep),
    "torch._utils._rebuild_parameter": Meaning(parameter),
    "torch._utils._rebuild_tensor_v2": Meaning(tensor),
    "torch.storage._load_from_bytes": Meaning(storage),
    "numpy.dtype": Meaning(dtype, dtype_order),
    "numpy.ndarray": Meaning(_no_class),
    **{f"{core}.scalar": Meaning(scalar) for core in NUMPY_CORE},
    **{f"{core}._reconstruct": Meaning(array, array_state) for core in NUMPY_CORE},
}
