# SPDX-License-Identifier: Apache-2.0
"""Open a TorchScript archive: a graph with its weights, which runs torch's operators alone. Pickles are refused."""

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from patches.errors import UserError

SUFFIXES = (".pt", ".ts", ".jit")


def open_torchscript(path: Path) -> Callable[[Tensor], Tensor]:
    """Open a module of one input, and give the function that runs it, on the tensor's device.

    Raises:
        UserError: it isn't TorchScript.
    """
    if not _is_torchscript(path):
        raise UserError(
            f"{path}: no TorchScript archive (a pickle may hold code and is not opened); "
            "write it by torch.jit.save(torch.jit.trace(network, example), file), or give an .onnx"
        )
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*torch\.jit.* is (deprecated|not supported)", DeprecationWarning)
            module = torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{path}: TorchScript that this torch can't open ({_short(error)})") from error

    def run(tensor: Tensor) -> Tensor:
        try:
            out = module.to(tensor.device)(tensor)
        except Exception as error:  # whatever the graph raises, it is the file's
            raise UserError(f"{path}: can't encode a tensor {list(tensor.shape)} ({_short(error)})") from error
        if not isinstance(out, Tensor):
            raise UserError(f"{path}: gives a {type(out).__name__}; an encoder gives one tensor")
        return out.float()

    return run


def _is_torchscript(path: Path) -> bool:
    """Whether a zip holds code and constants, which torch.save's pickles don't."""
    try:
        with zipfile.ZipFile(path) as file:
            names = [name.split("/", 1)[-1] for name in file.namelist()]
    except (zipfile.BadZipFile, OSError):
        return False
    return "constants.pkl" in names and any(name.startswith("code/") for name in names)


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:160] if lines else type(error).__name__
