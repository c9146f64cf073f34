# SPDX-License-Identifier: Apache-2.0
"""Run an ONNX file by onnxruntime, on the CPU and on as many threads as torch has: a graph of numbers without code."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from patches.errors import UserError

INSTALL = 'pip install "sg3-spect[encoders]" (or onnxruntime)'
DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}


def open_onnx(path: Path) -> Callable[[Tensor], Tensor]:
    """Open a graph of one input, and give the function that runs it: its first output for a tensor.

    The tensor is brought to the input's type. The function pickles no state and may be called by several threads.

    Raises:
        UserError: onnxruntime isn't installed, or the file is no such graph.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError(f"{path}: an ONNX file runs by onnxruntime, which isn't installed; do: {INSTALL}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = 3  # errors only: initialisers that nothing reads aren't the user's business
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an exception class for every cause, without a common one
        logging.getLogger(__name__).debug("%s", error)
        raise UserError(f"{path}: no ONNX file that onnxruntime reads ({_short(error)})") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in DTYPES:
        found = ", ".join(f"{one.name} {one.type}" for one in inputs)
        raise UserError(f"{path}: takes {found}; an encoder takes one tensor of float, double or uint8")
    name, dtype = inputs[0].name, DTYPES[inputs[0].type]

    def run(tensor: Tensor) -> Tensor:
        try:
            first = session.run(None, {name: tensor.cpu().numpy().astype(dtype)})[0]
        except Exception as error:
            shape = list(tensor.shape)
            raise UserError(
                f"{path}: can't encode a tensor {shape}, it takes {inputs[0].shape} ({_short(error)})"
            ) from error
        return torch.from_numpy(np.asarray(first, np.float32)).to(tensor.device)

    return run


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
