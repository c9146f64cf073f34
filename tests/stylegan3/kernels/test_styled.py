# SPDX-License-Identifier: Apache-2.0
"""The pointwise end of a styled convolution equals its formula, with its gradients, in either layout."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

pytest.importorskip("triton")

from stylegan3.ops.bias_act import bias_act
from stylegan3.ops.kernels.host import INTERPRETED
from stylegan3.ops.kernels.styled import scaled, styled, why_not

SHAPE = (2, 3, 9, 17)  # more samples a picture than one block of the interpreter
BLOCKS = (2, 70, 5, 13)  # several blocks along channels and along samples, the last of each not full
CLAMP = 1.0
LAYOUTS = (torch.contiguous_format, torch.channels_last)
HUGE = ((1, 2, 2, 2), (0, 2**31, 0, 0))  # a shape and strides that 32 bits don't reach


def draw(
    device: str, dtype: torch.dtype = torch.float32, levels: int = 1, shape: tuple[int, ...] = SHAPE
) -> list[Tensor]:
    """Return conv, d, level and bias."""
    n, o, h, w = shape
    rng = torch.Generator().manual_seed(1)
    shapes = (shape, (n, o), (levels, 1, h, w), (o,))
    return [torch.randn(s, generator=rng, dtype=torch.float64).to(device, dtype).requires_grad_() for s in shapes]


def formula(conv: Tensor, d: Tensor, level: Tensor | None, bias: Tensor) -> Tensor:
    z = conv * d[:, :, None, None]
    return bias_act(z if level is None else z + level, bias, act="lrelu", clamp=CLAMP, impl="reference")


def ours(conv: Tensor, d: Tensor, level: Tensor | None, bias: Tensor) -> Tensor:
    return styled(conv, d, level, bias, clamp=CLAMP)


def innermost(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda conv, *rest: function(conv.contiguous(memory_format=torch.channels_last), *rest)


@pytest.mark.parametrize("shape", [SHAPE, BLOCKS])
@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("function", [ours, innermost(ours)], ids=["channels outermost", "channels innermost"])
def test_it_equals_the_formula_with_gradients_to_second_order(
    function: Callable[..., Tensor], levels: int, shape: tuple[int, ...], device: str
) -> None:
    found = []
    for each in (function, formula):
        leaves = draw(device, levels=levels, shape=shape)
        y = each(*leaves)
        along = torch.cos(torch.arange(y.numel(), device=device)).view_as(y)
        grads = torch.autograd.grad(y, leaves, along, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in grads), leaves[:2])
        found.append((y, *grads, *second))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("turned", [False, True])
def test_gradients_of_the_sums_gradients_may_lie_anyhow(turned: bool, device: str) -> None:
    """Of sum g_d and the like they come expanded, of a turned product turned."""
    weights = torch.arange(6.0, device=device).view(3, 2).mT if turned else torch.ones(2, 3, device=device)
    for way, right in ((ours, formula), (scale_only, product)):
        found = []
        for each in (way, right):
            leaves = draw(device)
            along = torch.cos(torch.arange(leaves[0].numel(), device=device)).view_as(leaves[0])
            y = each(*leaves)
            (g_d,) = torch.autograd.grad(y, leaves[1], along, create_graph=True)
            total = (g_d * weights).sum() if turned else g_d.sum()
            found.append(torch.autograd.grad(total, leaves[0])[0])
        torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


def scale_only(conv: Tensor, d: Tensor, level: Tensor | None, bias: Tensor) -> Tensor:
    return scaled(conv, d)


def product(conv: Tensor, d: Tensor, level: Tensor | None, bias: Tensor) -> Tensor:
    return conv * d[:, :, None, None]


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (3,), (1, 3), (0, 2)])
def test_gradients_that_nobody_wants_change_no_others(wanted: tuple[int, ...], device: str) -> None:
    leaves = draw(device)
    along = torch.cos(torch.arange(leaves[0].numel(), device=device)).view_as(leaves[0])
    everything = torch.autograd.grad(ours(*leaves), leaves, along)
    some = [t if k in wanted else t.detach() for k, t in enumerate(leaves)]
    found = torch.autograd.grad(ours(*some), [leaves[k] for k in wanted], along)
    for k, g in zip(wanted, found, strict=True):
        assert torch.equal(g, everything[k])


@pytest.mark.parametrize("to", LAYOUTS)
@pytest.mark.parametrize("memory_format", LAYOUTS)
@pytest.mark.parametrize("shape", [SHAPE, BLOCKS])
def test_scaling_equals_the_product_with_gradients_to_second_order(
    shape: tuple[int, ...], memory_format: torch.memory_format, to: torch.memory_format, device: str
) -> None:
    found = []
    for way in (partial(scaled, to=to), lambda x, scale: x * scale[:, :, None, None]):
        x, scale = draw(device, shape=shape)[:2]
        y = way(x.contiguous(memory_format=memory_format), scale)
        grads = torch.autograd.grad(y, (x, scale), torch.sin(y.detach()), create_graph=True)
        found.append((y, *grads, *torch.autograd.grad(sum(g.square().sum() for g in grads), (x, scale))))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("to", LAYOUTS)
@pytest.mark.parametrize("memory_format", LAYOUTS)
def test_pictures_are_turned_and_their_gradients_turned_back(
    memory_format: torch.memory_format, to: torch.memory_format, device: str
) -> None:
    x, scale = draw(device)[:2]
    x = x.detach().contiguous(memory_format=memory_format).requires_grad_()
    y = scaled(x, scale, to=to)
    assert y.is_contiguous(memory_format=to)
    (g,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert g.is_contiguous(memory_format=memory_format)


def test_the_layout_of_the_convolution_is_kept(device: str) -> None:
    conv, d, level, bias = draw(device)
    assert ours(conv, d, level, bias).is_contiguous()
    assert innermost(ours)(conv, d, level, bias).is_contiguous(memory_format=torch.channels_last)
    turned = conv.transpose(2, 3).contiguous().transpose(2, 3)
    torch.testing.assert_close(ours(turned, d, level, bias), ours(conv, d, level, bias))


def test_demodulation_and_noise_are_optional_and_noise_may_lack_its_first_axes(device: str) -> None:
    conv, d, level, bias = draw(device)
    torch.testing.assert_close(ours(conv, None, level, bias), formula(conv, torch.ones_like(d), level, bias))
    torch.testing.assert_close(ours(conv, d, None, bias), formula(conv, d, None, bias))
    torch.testing.assert_close(ours(conv, d, level[0, 0], bias), formula(conv, d, level, bias))


# a rounding is half an eps; the interpreter cuts bfloat16 off instead
@pytest.mark.parametrize(("dtype", "part"), [(torch.float16, 0.5), (torch.bfloat16, 1.0 if INTERPRETED else 0.5)])
def test_half_precision_is_rounded_once(dtype: torch.dtype, part: float, device: str) -> None:
    conv, d, level, bias = draw(device)
    conv = conv.detach().to(dtype).requires_grad_()
    y, wide = ours(conv, d, level, bias), formula(conv.float(), d, level, bias)
    assert y.dtype == dtype
    assert ((y.float() - wide).abs() <= wide.abs() * torch.finfo(dtype).eps * part + 1e-6).all()
    g_conv, g_d = torch.autograd.grad(y, (conv, d), torch.ones_like(y))
    assert (g_conv.dtype, g_d.dtype) == (dtype, torch.float32)


def test_what_is_not_a_number_stays_so_under_a_clamp(device: str) -> None:
    conv, d, level, bias = (v.detach() for v in draw(device))
    conv[0, 1, 2, 3] = float("nan")
    assert ours(conv, d, level, bias).isnan().sum() == 1


def test_the_slope_at_zero_is_pytorchs(device: str) -> None:
    conv, d, bias = torch.zeros(SHAPE, device=device).requires_grad_(), *(v.detach() for v in draw(device)[1::2])
    found = [torch.autograd.grad(f(conv, d, None, 0 * bias).sum(), conv)[0] for f in (ours, formula)]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("shape", [(0, 3, 4, 5), (2, 3, 0, 5), (2, 0, 4, 4)])
def test_no_samples_give_no_samples(shape: tuple[int, ...], device: str) -> None:
    leaves = draw(device, shape=shape)
    y = ours(*leaves)
    assert y.shape == shape
    assert not any(g.any() for g in torch.autograd.grad(y.sum(), leaves))


@pytest.mark.skipif(not INTERPRETED, reason="float64 has no kernel on a card")
def test_gradients_are_right_to_second_order_in_float64() -> None:
    leaves = draw("cpu", torch.float64, shape=(2, 2, 3, 2))
    assert gradcheck(ours, leaves)
    assert gradgradcheck(ours, leaves, fast_mode=True)
    turned = partial(scaled, to=torch.channels_last)
    assert gradcheck(turned, leaves[:2])
    assert gradgradcheck(turned, leaves[:2], fast_mode=True)


def test_what_it_cannot_serve_it_says(device: str) -> None:
    conv = torch.zeros(SHAPE, device=device)
    assert why_not(conv) is None
    assert "int32" in str(why_not(conv.int()))


@pytest.mark.skipif(not INTERPRETED, reason="on a card a tensor without memory is refused for its device")
def test_pictures_whose_offsets_pass_32_bits_are_refused() -> None:
    assert "samples" in str(why_not(torch.empty((1, 2, 2, 2), device="meta").as_strided(*HUGE)))
