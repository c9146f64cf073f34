# SPDX-License-Identifier: Apache-2.0
"""Operations: the fast path equals the definition, and gradients are right to second order (float64)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan3.errors import NetworkError
from stylegan3.ops import bands
from stylegan3.ops import tiles as module
from stylegan3.ops.bands import band
from stylegan3.ops.bias_act import ACTIVATIONS, bias_act
from stylegan3.ops.engines import choice
from stylegan3.ops.filtered_lrelu import filtered_lrelu
from stylegan3.ops.filters import lowpass, radial_lowpass
from stylegan3.ops.interfaces import Impl
from stylegan3.ops.modulation import modulated_conv2d
from stylegan3.ops.upfirdn import upfirdn2d

ROUNDING = 1e-7  # float64; the factors of a 2-D filter are cut off at 1e-8


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LINE = draw(6, seed=7)
SHEET = draw(5, 4, seed=8)
RADIAL = torch.from_numpy(radial_lowpass(12, 4.0, 7.0, 32))
LONG = torch.from_numpy(lowpass(24, 4.0, 3.5, 64))
TAPS = torch.from_numpy(lowpass(12, 4.0, 7.0, 32))

UPFIRDN: list[tuple[tuple[int, int, int, int], Tensor, dict[str, Any]]] = [
    ((2, 3, 7, 5), LINE, {"up": 2, "padding": (3, 2, 3, 2)}),
    ((1, 1, 9, 8), LINE, {"down": 2, "padding": (4, -1, 0, 3), "gain": 4.0}),
    ((1, 2, 5, 6), SHEET, {"up": 3, "down": 2, "padding": (2, 3, -2, 5), "flip_filter": True}),
    ((2, 1, 6, 9), RADIAL, {"up": 2, "down": 4, "padding": 8, "gain": -0.5}),
    ((1, 1, 1, 4), LINE, {"up": 4, "padding": (3, 3, 3, 3)}),
]
LRELU: list[tuple[tuple[int, int, int, int], Tensor, Tensor, dict[str, Any]]] = [
    ((2, 3, 7, 5), TAPS, TAPS, {"up": 2, "down": 2, "padding": (10, 10, 10, 10)}),
    ((1, 1, 9, 13), LONG, TAPS, {"up": 4, "down": 2, "padding": (-6, -3, 19, 18)}),
    ((1, 2, 11, 8), TAPS, RADIAL, {"up": 2, "down": 2, "padding": (9, 8, 9, 8), "clamp": 0.4, "slope": 0.1}),
    ((2, 1, 8, 6), RADIAL, TAPS, {"up": 2, "down": 4, "padding": (12, 11, 9, 8), "flip_filter": True}),
    ((1, 3, 4, 5), None, None, {"slope": 0.3}),  # type: ignore[list-item]
]


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cut every canvas into tiles a few samples wide, planes one by one."""
    module._tiles.cache_clear()
    for name, value in (("TILE", 3), ("WHOLE", 4), ("SAMPLES", 1)):
        monkeypatch.setattr(module, name, value)
    yield
    module._tiles.cache_clear()


@pytest.fixture(params=["plain", "fused"])
def impl(request: pytest.FixtureRequest) -> Impl:
    """Each way that isn't the definition."""
    if request.param == "fused" and choice(torch.device("cpu")).kernels is None:
        pytest.skip(f"no kernels on this CPU: {choice(torch.device('cpu')).reason}")
    way: Impl = request.param
    return way


@pytest.mark.parametrize(("shape", "f", "settings"), UPFIRDN)
def test_upfirdn2d_equals_its_definition(shape: Any, f: Tensor, settings: dict[str, Any], impl: Impl) -> None:
    x = draw(*shape)
    fast, plain = (upfirdn2d(x, f, **settings, impl=way) for way in (impl, "reference"))
    assert fast.shape == plain.shape
    assert (fast - plain).abs().max() < ROUNDING * plain.abs().max()


@pytest.mark.parametrize(("shape", "f", "settings"), UPFIRDN)
def test_gradients_of_upfirdn2d_are_right_to_second_order(
    shape: Any, f: Tensor, settings: dict[str, Any], impl: Impl
) -> None:
    x = draw(*shape).transpose(2, 3).contiguous().transpose(2, 3).requires_grad_()  # not contiguous
    assert gradcheck(lambda v: upfirdn2d(v, f, **settings, impl=impl), x)
    assert gradgradcheck(lambda v: upfirdn2d(v, f, **settings, impl=impl), x)


@pytest.mark.parametrize("f", [LINE, SHEET])
def test_plain_pictures_with_channels_innermost_give_the_same_and_stay_so(f: Tensor) -> None:
    x = draw(3, 4, 7, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    fast, plain = (upfirdn2d(x, f, up=2, padding=(3, 2, 3, 2), impl=impl) for impl in ("plain", "reference"))
    assert (fast - plain).abs().max() < ROUNDING
    assert fast.is_contiguous(memory_format=torch.channels_last)
    assert gradcheck(lambda v: upfirdn2d(v, f, up=2, padding=(3, 2, 3, 2), impl="plain"), x)


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (2, 3)])
def test_long_axes_cut_into_windows_give_the_same(up: int, down: int) -> None:
    length = 3 * bands.DENSE + 5
    x = draw(1, 1, length, 2)
    for picture in (x, x.transpose(2, 3)):
        fast, plain = (upfirdn2d(picture, LINE, up=up, down=down, padding=4, impl=i) for i in ("plain", "reference"))
        assert (fast - plain).abs().max() < 1e-12


def test_the_transposed_band_is_the_transposed_matrix() -> None:
    b = band((1.0, 2.0, 3.0, 4.0, 5.0), 3, 2, 1, 7, 9)
    like = torch.zeros((), dtype=torch.float64)
    assert torch.equal(b.transposed.matrix(like), b.matrix(like).t())


@pytest.mark.parametrize(("shape", "fu", "fd", "settings"), LRELU)
def test_filtered_lrelu_equals_its_definition(
    shape: Any, fu: Tensor, fd: Tensor, settings: dict[str, Any], impl: Impl
) -> None:
    x, b = draw(*shape), draw(shape[1], seed=1)
    fast, plain = (filtered_lrelu(x, fu, fd, b, **settings, impl=way) for way in (impl, "reference"))
    assert fast.shape == plain.shape
    assert (fast - plain).abs().max() < ROUNDING * plain.abs().max()


@pytest.mark.parametrize(("shape", "fu", "fd", "settings"), LRELU)
def test_gradients_of_filtered_lrelu_are_right_to_second_order(
    shape: Any, fu: Tensor, fd: Tensor, settings: dict[str, Any], impl: Impl
) -> None:
    x = draw(*shape).transpose(2, 3).contiguous().transpose(2, 3).requires_grad_()
    b = draw(shape[1], seed=1).requires_grad_()
    assert gradcheck(lambda v, c: filtered_lrelu(v, fu, fd, c, **settings, impl=impl), (x, b))
    assert gradgradcheck(lambda v, c: filtered_lrelu(v, fu, fd, c, **settings, impl=impl), (x, b))


@pytest.mark.parametrize("way", ["plain", "fused", "reference"])
@pytest.mark.parametrize("turns", [2, 3, 6])
def test_biases_of_several_pictures_are_theirs_in_turn(turns: int, way: Impl) -> None:
    if way == "fused" and choice(torch.device("cpu")).kernels is None:
        pytest.skip("no kernels on this CPU")
    x, b, settings = draw(6, 3, 7, 5).requires_grad_(), draw(turns * 3, seed=1).requires_grad_(), LRELU[0][3]
    y = filtered_lrelu(x, TAPS, TAPS, b, **settings, impl=way)
    each = [
        filtered_lrelu(x[i : i + 1], TAPS, TAPS, b.view(turns, 3)[i % turns], **settings, impl="reference")
        for i in range(6)
    ]
    right = torch.cat(each)
    g = draw(*right.shape, seed=2)
    for mine, theirs in zip(
        (y, *torch.autograd.grad(y, (x, b), g)), (right, *torch.autograd.grad(right, (x, b), g)), strict=True
    ):
        assert mine.shape == theirs.shape
        assert (mine - theirs).abs().max() < ROUNDING * theirs.abs().max()
    assert gradcheck(lambda v, c: filtered_lrelu(v, TAPS, TAPS, c, **settings, impl=way), (x, b), fast_mode=True)
    assert gradgradcheck(lambda v, c: filtered_lrelu(v, TAPS, TAPS, c, **settings, impl=way), (x, b), fast_mode=True)


@pytest.mark.parametrize("way", ["plain", "auto", "reference"])
@pytest.mark.parametrize("biases", [(2,), (4,), (12,), (0,), (1, 3), (3, 1)])
def test_biases_that_are_not_one_a_channel_are_refused(biases: tuple[int, ...], way: Impl) -> None:
    with pytest.raises(NetworkError, match="one a channel"):  # of 6 pictures 12 biases are those of 4 in turn
        filtered_lrelu(draw(6, 3, 7, 5), TAPS, TAPS, draw(*biases), **LRELU[0][3], impl=way)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize(("shape", "fu", "fd", "settings"), LRELU[:4])
def test_tiles_join_without_a_seam(shape: Any, fu: Tensor, fd: Tensor, settings: dict[str, Any]) -> None:
    found = []
    for impl in ("plain", "reference"):
        x, b = draw(*shape).requires_grad_(), draw(shape[1], seed=1).requires_grad_()
        y = filtered_lrelu(x, fu, fd, b, **settings, impl=impl)  # type: ignore[arg-type]
        (g,) = torch.autograd.grad(y, x, draw(*y.shape, seed=2), create_graph=True)
        found.append((y, g))
    for fast, plain in zip(*found, strict=True):
        assert (fast - plain).abs().max() < ROUNDING * plain.abs().max()


def kept_by(run: Callable[[], Tensor]) -> list[Tensor]:
    """Return what autograd keeps for the gradient."""
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        run()
    return kept


def test_plain_filtered_lrelu_keeps_its_input_and_bias_alone() -> None:
    x, b = draw(1, 2, 20, 20).requires_grad_(), draw(2).requires_grad_()
    kept = kept_by(lambda: filtered_lrelu(x, TAPS, TAPS, b, up=2, down=2, padding=10, impl="plain"))
    assert [t.data_ptr() for t in kept] == [x.data_ptr(), b.data_ptr()]


@pytest.mark.parametrize("act", sorted(ACTIVATIONS))
def test_gradients_of_bias_act_are_right_to_second_order(act: str) -> None:
    x, b = draw(2, 3, 4).requires_grad_(), draw(3, seed=1).requires_grad_()

    def apply(v: Tensor, c: Tensor) -> Tensor:
        return bias_act(v, c, act=act, gain=1.3, clamp=2.0)

    assert torch.allclose(apply(x, b), bias_act(x, b, act=act, gain=1.3, clamp=2.0, impl="reference"))
    assert gradcheck(apply, (x, b))
    assert gradgradcheck(apply, (x, b))


MODULATED: list[dict[str, Any]] = [{"padding": 1}, {"padding": 2, "demodulate": False, "gain": 0.7}, {}]


@pytest.mark.parametrize("settings", MODULATED)
def test_scaled_activations_equal_one_kernel_a_picture(settings: dict[str, Any]) -> None:
    x, weight, styles = draw(3, 4, 5, 7), draw(2, 4, 3, 3, seed=1), draw(3, 4, seed=2)
    fast, plain = (modulated_conv2d(x, weight, styles, **settings, impl=impl) for impl in ("plain", "reference"))
    assert (fast - plain).abs().max() < 1e-12 * plain.abs().max()


@pytest.mark.parametrize("settings", MODULATED)
def test_gradients_of_modulated_conv2d_are_right_to_second_order(settings: dict[str, Any]) -> None:
    given = [draw(2, 2, 3, 4), draw(2, 2, 3, 3, seed=1), draw(2, 2, seed=2)]
    run: Callable[..., Tensor] = lambda x, w, s: modulated_conv2d(x, w, s, **settings)  # noqa: E731
    assert gradcheck(run, [t.requires_grad_() for t in given])
    assert gradgradcheck(run, [t.requires_grad_() for t in given])


def test_mistaken_arguments_are_named() -> None:
    with pytest.raises(NetworkError, match="activation 'mish'"):
        bias_act(draw(1, 1), act="mish")
    with pytest.raises(NetworkError, match="pad more"):
        upfirdn2d(draw(1, 1, 3, 3), LINE)
    with pytest.raises(NetworkError, match="gain 0"):
        filtered_lrelu(draw(1, 1, 3, 3), gain=0)
