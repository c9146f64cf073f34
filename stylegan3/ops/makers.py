# SPDX-License-Identifier: Apache-2.0
"""The kernels that there are; each is imported, and built, when it is asked for."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from torch import Tensor

from stylegan3.ops.interfaces import Kernels, Resampler, Scaler, Styler
from stylegan3.ops.resampling import Terms


def cpp() -> Kernels:
    """Return those in C++ for the CPU.

    Raises:
        BuildError: without a compiler, or where it fails.
    """
    from stylegan3.ops.native import act, cpu, inner, lrelu

    cpu.library()
    engine = lrelu.Cpu()

    def resampler(x: Tensor, terms: Terms) -> Resampler | None:
        if inner.serves(x, terms):
            return inner.resample
        return engine.resample if engine.resamples(x, terms) else None

    return Kernels(
        engine,
        resampler,
        lambda conv: act.styled if act.why_not(conv) is None else None,
        lambda x: act.scaled if act.why_not(x) is None else None,
    )


def triton() -> Kernels:
    """Return those in Triton for CUDA devices.

    Raises:
        ImportError: without Triton.
    """
    from stylegan3.ops.kernels.lrelu import TritonLrelu

    return Kernels(TritonLrelu(), triton_resampler, triton_styler, triton_scaler)


def triton_resampler(x: Tensor, terms: Terms) -> Resampler | None:
    """Return Triton's resampling where it serves."""
    if find_spec("triton") is None:
        return None
    from stylegan3.ops.kernels import resample

    return resample.resample if resample.why_not(x, terms) is None else None


def triton_styler(conv: Tensor) -> Styler | None:
    """Return Triton's end of a convolution where it serves."""
    return None if (styled := _pointwise(conv)) is None else styled.styled


def triton_scaler(x: Tensor) -> Scaler | None:
    """Return Triton's scaling of channels where it serves."""
    return None if (styled := _pointwise(x)) is None else styled.scaled


def _pointwise(x: Tensor) -> Any:
    """Return the module of Triton's pointwise kernels where they serve."""
    if find_spec("triton") is None:
        return None
    from stylegan3.ops.kernels import styled

    return styled if styled.why_not(x) is None else None


def cuda() -> Kernels:
    """Return the filtered leaky relu in CUDA C++; what else there is, is Triton's.

    Raises:
        BuildError: without nvcc, or where it fails.
    """
    from stylegan3.ops.native.cuda import Cuda

    return Kernels(Cuda(), triton_resampler, triton_styler, triton_scaler)
