# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels compile wherever nvcc is, card or none, and use what a multiprocessor can give to four blocks."""

import pytest

from stylegan3.ops.native import cuda
from stylegan3.ops.native.build import BuildError

REGISTERS = 65536 // (4 * 256)  # of a thread, where four blocks of 256 share a multiprocessor


def no_compiler() -> bool:
    """Return whether nvcc is absent."""
    try:
        return not cuda.compiler()
    except BuildError:
        return True


@pytest.mark.skipif(no_compiler(), reason="needs nvcc")
@pytest.mark.parametrize("capability", [(8, 0), (9, 0)])
def test_kernels_compile_without_spills(capability):
    uses = cuda.compile_check(capability)
    assert len(uses) == 3 * 4 + 1  # half, bfloat16, float32: three forms and any; float64: any
    for use in uses:
        assert use.stack == use.spill_stores == use.spill_loads == 0, use
        assert use.registers <= REGISTERS, use


@pytest.mark.skipif(no_compiler(), reason="needs nvcc")
def test_an_error_of_the_compiler_is_told():
    with pytest.raises(BuildError, match="compute_10"):
        cuda.compile_check((1, 0))


def test_without_a_compiler_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr("torch.utils.cpp_extension.CUDA_HOME", None)
    monkeypatch.setenv("PATH", "/nowhere")
    cuda.compiler.cache_clear()
    with pytest.raises(BuildError, match="CUDA_HOME"):
        cuda.compiler()
