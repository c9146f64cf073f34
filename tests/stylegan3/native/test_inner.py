# SPDX-License-Identifier: Apache-2.0
"""Resampling of pictures whose channels lie innermost, in C++."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from stylegan3.ops import engines
from stylegan3.ops.layout import channels_last
from stylegan3.ops.upfirdn import upfirdn2d

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(engines.choice(CPU).kernels is None, reason="no kernels")
FIR = (0.125, 0.375, 0.375, 0.125)
LONG = tuple(float(k) for k in range(1, 12))
CASES: list[tuple[Any, dict[str, Any]]] = [
    (FIR, {"padding": 2}),
    (FIR, {"down": 2, "padding": 1}),
    (FIR, {"up": 2, "padding": (2, 1, 2, 1), "gain": 4.0}),
    ((1.0, 2.0, 3.0), {"up": 4, "down": 2, "padding": (3, -1, 0, 2), "flip_filter": True}),
    (LONG, {"padding": (9, 9, 5, 6)}),  # longer than the picture
    ((2.0,), {"down": 2}),
]


def draw(*shape: int, kind: torch.dtype = torch.float64) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(kind)
    return x.contiguous(memory_format=torch.channels_last)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the calls of the C++ function, so that a test knows what it tests."""
    from stylegan3.ops.native import inner

    calls: list[int] = []
    kept = inner.resample
    monkeypatch.setattr(inner, "resample", lambda *given: calls.append(1) or kept(*given))
    return calls


@pytest.mark.parametrize(("taps", "options"), CASES)
@pytest.mark.parametrize("channels", [16, 37])
def test_it_equals_the_definition_and_keeps_the_layout(
    channels: int, taps: Any, options: dict[str, Any], counted: list[int]
) -> None:
    x = draw(3, channels, 7, 10)
    y, right = (upfirdn2d(x, taps, **options, impl=impl) for impl in ("auto", "reference"))  # type: ignore[arg-type]
    assert counted
    assert channels_last(y)
    assert (y - right).abs().max() < 1e-13 * right.abs().max()


def test_few_channels_go_through_planes(counted: list[int]) -> None:
    x = draw(2, 4, 7, 10)
    right = upfirdn2d(x, FIR, padding=2, impl="reference")
    assert (upfirdn2d(x, FIR, padding=2) - right).abs().max() < 1e-13 * right.abs().max()
    assert not counted


def test_its_gradient_is_right(counted: list[int]) -> None:
    x = draw(1, 16, 5, 4).requires_grad_()
    assert gradcheck(lambda x: upfirdn2d(x, FIR, up=2, padding=(2, 1, 2, 1)), (x,))
    assert counted


def test_float32_and_bfloat16_are_rounded_once(counted: list[int]) -> None:
    for kind, allowed in ((torch.float32, 2e-7), (torch.bfloat16, 2**-8)):
        x = draw(2, 20, 9, 8, kind=kind)
        right = upfirdn2d(x.double(), FIR, padding=2, impl="reference")
        assert ((upfirdn2d(x, FIR, padding=2) - right).abs() <= allowed * right.abs() + 1e-6).all()
    assert len(counted) == 2


def test_any_number_of_threads_gives_the_same(counted: list[int]) -> None:
    x, threads = draw(2, 20, 9, 8, kind=torch.float32), torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(upfirdn2d(x, FIR, padding=2))
    finally:
        torch.set_num_threads(threads)
    assert len(counted) == 3
    assert all(torch.equal(found[0], other) for other in found[1:])


def test_no_pictures_give_none() -> None:
    assert upfirdn2d(draw(0, 16, 8, 8), FIR, padding=2).shape == (0, 16, 9, 9)


def test_a_filter_that_is_no_product_goes_through_plain_pytorch(counted: list[int]) -> None:
    taps = ((1.0, 2.0), (3.0, 5.0))
    x = draw(2, 16, 6, 7)
    right = upfirdn2d(x, taps, padding=1, impl="reference")
    assert (upfirdn2d(x, taps, padding=1) - right).abs().max() < 1e-13 * right.abs().max()
    assert not counted
