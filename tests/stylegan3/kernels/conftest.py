"""Kernels are tested on the GPU where there is one, else in triton's interpreter.

Triton decides when it is imported. This file is read while tests are collected, before any test runs and thus before
torch imports triton for its own ends (the first step of an optimiser does). In this process it stays decided, by the
knob; the variable is taken back, so that subprocesses are as always.
"""

import importlib.util
import os
from collections.abc import Iterator

import pytest
import torch

ON_CARD = torch.cuda.is_available()


def import_interpreted() -> None:
    """Import triton and the kernels so that numpy runs them."""
    os.environ["TRITON_INTERPRET"] = "1"
    from stylegan3.ops.kernels import host, lrelu, resample, styled  # noqa: F401

    del os.environ["TRITON_INTERPRET"]
    from triton import knobs

    knobs.propagate_env = False  # to the environment
    knobs.runtime.interpret = True
    knobs.propagate_env = True
    if not host.INTERPRETED:
        raise pytest.UsageError("triton was imported before tests/stylegan3/kernels: its interpreter cannot be set up")


if importlib.util.find_spec("triton") and not ON_CARD:
    import_interpreted()


@pytest.fixture
def device() -> Iterator[str]:
    """Where kernels run; definitions there in float32, of which cuDNN would take ten bits."""
    from stylegan3.ops.verdicts import exact

    with exact():
        yield "cuda" if ON_CARD else "cpu"
