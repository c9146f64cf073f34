# SPDX-License-Identifier: Apache-2.0
"""The C++ end of a convolution equals its formula, with its gradients, in either layout."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan3.errors import NetworkError
from stylegan3.networks.layers import Conv
from stylegan3.networks.ways import CLAMP, compute_with
from stylegan3.ops.engines import choice
from stylegan3.ops.native import act
from stylegan3.ops.native.act import CpuMaps, styled, why_not
from stylegan3.ops.pointwise import Act, pointwise

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(choice(CPU).kernels is None, reason=f"no kernels: {choice(CPU).reason}")

BOUND = 1.0  # a clamp that some samples reach
EXACT = 1e-13  # of the largest value: some roundings of float64
LAYOUTS = [torch.contiguous_format, torch.channels_last]
SHAPES = [(2, 3, 9, 17), (1, 1, 5, 3), (3, 16, 4, 4), (2, 37, 3, 7), (1, 40, 1, 1), (2, 5, 40, 41), (2, 64, 1, 33)]
Operands = tuple[Tensor, Tensor | None, Tensor | None, Tensor]


@pytest.fixture(params=LAYOUTS, ids=["channels outermost", "channels innermost"])
def layout(request: pytest.FixtureRequest) -> torch.memory_format:
    """Each way in which pictures lie."""
    kind: torch.memory_format = request.param
    return kind


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def draw(*shape: int, seed: int = 0, kind: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(kind)


def operands(
    shape: tuple[int, ...], levels: int | None = 1, scaled: bool = True, kind: torch.dtype = torch.float64
) -> Operands:
    """Return conv, d, level and bias; what is no picture has float32's precision at least."""
    n, o, h, w = shape
    wide = torch.promote_types(kind, torch.float32)
    conv, bias = draw(*shape, kind=kind), draw(o, seed=3, kind=wide)
    d = draw(n, o, seed=1, kind=wide) if scaled else None
    level = None if levels is None else draw(levels, 1, h, w, seed=2, kind=wide)
    return tuple(None if t is None else t.requires_grad_() for t in (conv, d, level, bias))  # type: ignore[return-value]


def formula(conv: Tensor, d: Tensor | None, level: Tensor | None, bias: Tensor) -> Tensor:
    z = conv if d is None else conv * d[:, :, None, None]
    z = z + bias[:, None, None]
    return (F.leaky_relu(z if level is None else z + level, 0.2) * 2**0.5).clamp(-BOUND, BOUND)


def ours(layout: torch.memory_format) -> Callable[..., Tensor]:
    return lambda conv, *rest: styled(conv.contiguous(memory_format=layout), *rest, clamp=BOUND)


def two_orders(function: Callable[..., Tensor], given: Operands) -> list[Tensor]:
    """Return a value, its gradients along one direction, and the gradients of the sum of their squares."""
    leaves = [t for t in given if t is not None]
    y = function(*given)
    along = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view_as(y).requires_grad_()
    grads = torch.autograd.grad(y, leaves, along, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in grads), [*leaves[:-1], along], allow_unused=True)
    return [y, *grads, *(g for g in second if g is not None)]


@pytest.mark.parametrize("levels", [None, "shared", "own"])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_equals_the_formula_with_gradients_to_second_order(
    shape: tuple[int, ...], scaled: bool, levels: str | None, layout: torch.memory_format
) -> None:
    given = operands(shape, None if levels is None else 1 if levels == "shared" else shape[0], scaled)
    found, right = two_orders(ours(layout), given), two_orders(formula, given)
    assert len(found) == len(right)
    for mine, theirs in zip(found, right, strict=True):
        assert (mine - theirs).abs().max() <= EXACT * theirs.abs().max()


@pytest.mark.parametrize("levels", [None, 1, 2])
@pytest.mark.parametrize("scaled", [True, False])
def test_gradients_are_those_of_finite_differences(
    scaled: bool, levels: int | None, layout: torch.memory_format
) -> None:
    conv, d, level, bias = operands((2, 2, 3, 2), levels, scaled)
    leaves = [t for t in (conv, d, level, bias) if t is not None]

    def function(*given: Tensor) -> Tensor:
        rest = iter(given)
        return ours(layout)(*(None if t is None else next(rest) for t in (conv, d, level, bias)))

    assert gradcheck(function, leaves)
    assert gradgradcheck(function, leaves)


@pytest.mark.parametrize("after", LAYOUTS, ids=["planes after", "channels innermost after"])
def test_third_order_gradients_are_the_formulas(layout: torch.memory_format, after: torch.memory_format) -> None:
    found = []
    for function in (ours(layout), formula):
        given = operands((2, 3, 5, 6))
        total = function(*given).contiguous(memory_format=after).pow(4).sum()  # a gradient that may lie otherwise
        for _ in range(2):
            grads = torch.autograd.grad(total, given, create_graph=True)
            total = sum(g.pow(3).sum() for g in grads)
        found.append(torch.autograd.grad(total, given))
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=0)


def test_only_what_is_asked_for_has_a_gradient() -> None:
    conv, d, level, bias = operands((2, 3, 5, 6))
    (g_d,) = torch.autograd.grad(ours(LAYOUTS[0])(conv.detach(), d, level.detach(), bias.detach()).sum(), d)
    (right,) = torch.autograd.grad(formula(conv, d, level, bias).sum(), d)
    torch.testing.assert_close(g_d, right)


def test_the_layout_of_the_convolution_is_kept() -> None:
    conv, *rest = operands((2, 3, 5, 6))
    for kind in LAYOUTS:
        assert ours(kind)(conv, *rest).is_contiguous(memory_format=kind)


def test_operands_may_lie_anyhow() -> None:
    given = operands((2, 4, 6, 5))
    spread = [t.detach().repeat_interleave(2, dim=-1)[..., ::2] for t in given]  # each second number
    turned = spread[0].transpose(2, 3).contiguous().transpose(2, 3)
    for conv in (spread[0], turned):
        found = styled(conv, *spread[1:], clamp=BOUND)
        torch.testing.assert_close(found, formula(*given))
    torch.testing.assert_close(styled(given[0], given[1], given[2][0, 0], given[3], clamp=BOUND), formula(*given))


def test_the_slope_at_zero_is_pytorchs(layout: torch.memory_format) -> None:
    conv, bias = torch.zeros(2, 3, 5, 7).requires_grad_(), torch.zeros(3)
    (g,) = torch.autograd.grad(ours(layout)(conv, None, None, bias).sum(), conv)
    (right,) = torch.autograd.grad(formula(conv, None, None, bias).sum(), conv)
    assert torch.equal(g, right)


def test_no_pictures_give_none_and_zero_gradients(layout: torch.memory_format) -> None:
    given = operands((0, 3, 4, 5))
    y = ours(layout)(*given)
    assert y.shape == (0, 3, 4, 5)
    assert not any(g.any() for g in torch.autograd.grad(y.sum(), given))


@pytest.mark.parametrize("shape", [(2, 5, 7, 9), (2, 48, 8, 8)])
def test_bfloat16_is_rounded_once(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    conv, d, level, bias = operands(shape, kind=torch.bfloat16)
    y, wide = ours(layout)(conv, d, level, bias), formula(conv.float(), d, level, bias)
    assert y.dtype == torch.bfloat16
    half = torch.finfo(torch.bfloat16).eps / 2
    assert ((y.float() - wide).abs() <= wide.abs() * half * (1 + 1e-3) + 1e-6).all()
    g = torch.autograd.grad(y, (conv, d, level, bias), torch.ones_like(y))
    right = torch.autograd.grad(formula(conv.float(), d, level, bias), (conv, d, level, bias), torch.ones(shape))
    assert [t.dtype for t in g] == [torch.bfloat16, *[torch.float32] * 3]
    inside = wide.abs() < BOUND * (1 - 2 * half)  # what is rounded to the clamp has no slope any more
    assert ((g[0].float() - right[0].float()).abs() <= right[0].float().abs() * half * 2)[inside].all()
    assert (g[3] - right[3]).abs().max() < 0.02 * right[3].abs().max()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_results_dont_depend_on_the_number_of_threads(
    kind: torch.dtype, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act, "PLACES", 64)
    found = []
    for count in (1, 3):
        given = operands((3, 21, 19, 23), kind=kind)
        with threads(count):
            y = ours(layout)(*given)
            found.append((y, *torch.autograd.grad(y, given, torch.sin(y.detach()))))
    for one, three in zip(*found, strict=True):
        assert torch.equal(one, three)


def test_blocks_join_without_a_seam(layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for places in (act.PLACES, 7):
        monkeypatch.setattr(act, "PLACES", places)
        found.append(two_orders(ours(layout), operands((2, 5, 9, 11), 2)))
    for whole, pieces in zip(*found, strict=True):
        torch.testing.assert_close(whole, pieces, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("clamp", [None, BOUND])
def test_what_is_not_a_number_stays_so(clamp: float | None, kind: torch.dtype, layout: torch.memory_format) -> None:
    conv, d, level, bias = (t.detach() for t in operands((2, 3, 9, 17), kind=kind))
    conv[0, 1, 2, 3] = conv[1, 2, 8, 16] = float("nan")
    y = styled(conv.contiguous(memory_format=layout), d, level, bias, clamp=clamp)
    assert torch.equal(y.isnan(), conv.isnan())


@pytest.mark.parametrize("impl", ["auto", "plain", "reference"])
@pytest.mark.parametrize("inner", [torch.float32, torch.bfloat16])
def test_a_layer_ends_this_way_where_kernels_serve_and_is_the_same(
    inner: torch.dtype, impl: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    value = act.CpuMaps.value
    monkeypatch.setattr(act.CpuMaps, "value", lambda *given: calls.append(1) or value(*given))
    layer = Conv(4, 8, 3)
    layer.reset(torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.bias.copy_(draw(8, seed=5))
    compute_with(layer, impl, inner)  # type: ignore[arg-type]
    x = (200 * draw(2, 4, 9, 7)).to(inner)
    y = layer(x)
    assert bool(calls) == (impl == "auto")
    weight, bias = layer.weight * (layer.scale * layer.gain), layer.bias * layer.gain
    right = F.leaky_relu(F.conv2d(x.float(), weight, bias, padding=1), 0.2)
    right = right.clamp(-CLAMP, CLAMP) if inner == torch.bfloat16 else right
    assert y.dtype == inner
    allowed = 1e-6 if inner == torch.float32 else 0.01  # two roundings of bfloat16
    assert (y.float() - right).abs().max() <= allowed * right.abs().max()


def test_what_it_cannot_serve_it_says() -> None:
    assert why_not(torch.zeros(1, 1, 1, 1)) is None
    assert "float16" in str(why_not(torch.zeros(1, 1, 1, 1, dtype=torch.float16)))


@pytest.mark.parametrize("wrong", ["d", "level", "bias"])
def test_operands_of_another_shape_are_refused(wrong: str) -> None:
    conv, d, level, bias = operands((3, 4, 5, 6))
    given = {"d": d, "level": level, "bias": bias, wrong: draw(2, 1, 5, 6)}
    with pytest.raises(NetworkError, match=rf"^{wrong} \(2, 1, 5, 6\): \(.*\) is needed"):
        styled(conv, given["d"], given["level"], given["bias"])


def test_only_what_is_scaled_alone_is_turned() -> None:
    x, d = torch.randn(2, 3, 4, 5), torch.randn(2, 3)
    leaky = Act(0.2, 1.0, None)
    assert pointwise(CpuMaps(), x, d, None, None, leaky, torch.contiguous_format).is_contiguous()
    with pytest.raises(NetworkError, match="only what is scaled alone can be turned"):
        pointwise(CpuMaps(), x, d, None, None, leaky, torch.channels_last)
