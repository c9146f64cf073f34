# SPDX-License-Identifier: Apache-2.0
"""The resampling kernel equals the definition, and over the transposed bands its gradient, in any layout."""

from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton")

from stylegan3.ops.kernels.host import INTERPRETED
from stylegan3.ops.kernels.resample import resample, why_not
from stylegan3.ops.plans import Terms, transposed
from stylegan3.ops.resampling import axis_band, constant, separated, sides
from stylegan3.ops.upfirdn import upfirdn2d

FLOAT32 = 1e-6  # of the largest value: a few roundings of sums of 16 to 36 products


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


FIR = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8
LINE, SHEET = draw(7, seed=1), draw(3, 5, seed=2)
# StyleGAN2's three uses of its four taps, then other factors, odd lengths, crops, and a filter of several terms
CASES: list[tuple[tuple[int, int, int, int], Tensor, dict[str, Any]]] = [
    ((2, 3, 9, 7), FIR, {"padding": 1}),
    ((1, 2, 5, 18), FIR, {"up": 2, "padding": (2, 1, 2, 1)}),
    ((2, 1, 11, 8), FIR, {"down": 2, "padding": 1}),
    ((1, 5, 10, 9), LINE, {"up": 4, "down": 2, "padding": (-3, 4, 9, -5)}),
    ((2, 1, 13, 12), LINE, {"up": 2, "down": 4, "padding": (5, 3, -2, 7)}),
    ((1, 2, 6, 7), SHEET, {"up": 2, "padding": 3}),
    ((1, 1, 1, 4), None, {"down": 4, "padding": (0, 5, 0, 2)}),  # type: ignore[list-item]
]


def terms_of(x: Tensor, f: Tensor, up: int = 1, down: int = 1, padding: Any = 0) -> Terms:
    pad, (high, wide) = sides(padding), x.shape[2:]
    parts = separated(constant(f))
    return tuple(
        (axis_band(r, up, down, pad[2:], high, 1.0, False), axis_band(c, up, down, pad[:2], wide, 1.0, False))
        for r, c in parts
    )


def distance(a: Tensor, b: Tensor) -> float:
    """The largest difference, as a part of the largest value."""
    assert a.shape == b.shape
    return float((a.double() - b.double()).abs().max() / b.double().abs().max())


@pytest.mark.parametrize(("shape", "f", "settings"), CASES)
@pytest.mark.parametrize("last", [False, True], ids=["channels outermost", "channels innermost"])
def test_results_and_gradients_equal_the_definition(
    shape: Any, f: Tensor, settings: dict[str, Any], last: bool, device: str
) -> None:
    x = draw(*shape).requires_grad_()
    y = upfirdn2d(x, f, **settings, impl="reference")
    g = draw(*y.shape, seed=3)
    (g_x,) = torch.autograd.grad(y, x, g)
    layout = torch.channels_last if last else torch.contiguous_format
    ours, ours_g = (v.detach().to(device, torch.float32).contiguous(memory_format=layout) for v in (x, g))
    terms = terms_of(x, f, **settings)
    assert why_not(ours, terms) is None
    assert distance(resample(ours, terms).cpu(), y.detach()) < FLOAT32
    assert distance(resample(ours_g, transposed(terms)).cpu(), g_x) < FLOAT32
    assert resample(ours, terms).is_contiguous(memory_format=layout)


# a rounding is half an eps; the interpreter cuts bfloat16 off instead
@pytest.mark.parametrize(("dtype", "part"), [(torch.float16, 0.5), (torch.bfloat16, 1.0 if INTERPRETED else 0.5)])
def test_half_precision_is_rounded_once(dtype: torch.dtype, part: float, device: str) -> None:
    x = draw(1, 2, 9, 8).to(device, dtype)
    terms = terms_of(x, FIR, up=2, padding=(2, 1, 2, 1))
    y, wide = resample(x, terms), resample(x.float(), terms)
    assert y.dtype == dtype
    assert ((y.float() - wide).abs() <= wide.abs() * torch.finfo(dtype).eps * part + 1e-7).all()


def test_slices_and_repeated_pictures_are_read_in_place(device: str) -> None:
    x = draw(1, 2, 9, 14).to(device, torch.float32)[:, :, 1:, ::2].expand(3, -1, -1, -1)
    y = resample(x, terms_of(x, FIR, down=2, padding=1))
    assert distance(y, upfirdn2d(x, FIR, down=2, padding=1, impl="reference")) < FLOAT32


def test_no_pictures_give_no_pictures(device: str) -> None:
    x = torch.empty(0, 2, 9, 8, device=device)
    assert resample(x, terms_of(x, FIR, padding=1)).shape == (0, 2, 8, 7)


def test_what_it_cannot_serve_it_says(device: str) -> None:
    x = draw(1, 1, 9, 8).to(device, torch.float32)
    assert "factors [1, 3]" in str(why_not(x, terms_of(x, FIR, up=3, padding=3)))
    assert "int16" in str(why_not(x.to(torch.int16), terms_of(x, FIR, padding=3)))
