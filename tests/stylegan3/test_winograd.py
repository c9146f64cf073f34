# SPDX-License-Identifier: Apache-2.0
"""The CPU's 3x3 convolution with a quarter of the multiplications."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan3.errors import NetworkError
from stylegan3.ops import convolution, winograd
from stylegan3.ops.convolution import conv2d
from stylegan3.ops.engines import choice
from stylegan3.ops.modulation import demodulation
from stylegan3.ops.winograd_modulated import modulated_winograd

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(choice(CPU).kernels is None, reason=f"no kernels: {choice(CPU).reason}")


def draw(*shape: int, seed: int = 0, kind: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(kind)


SHAPES = [(2, 5, 9, 14), (1, 1, 5, 4), (3, 4, 37, 22), (1, 2, 3, 40), (1, 3, 64, 3), (2, 37, 10, 6)]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("results", [3, 50])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_a_convolution_in_the_layout_of_its_pictures(
    shape: tuple[int, int, int, int], results: int, padding: int, layout: torch.memory_format
) -> None:
    x = draw(*shape).contiguous(memory_format=layout).requires_grad_()
    w = draw(results, shape[1], 3, 3, seed=1).requires_grad_()
    right, y = F.conv2d(x, w, padding=padding), winograd.winograd(x, w, padding)
    g = draw(*y.shape, seed=2)
    assert shape[1] == 1 or y.is_contiguous(memory_format=layout)  # one channel lies both ways
    for mine, theirs in zip(
        (y, *torch.autograd.grad(y, (x, w), g)), (right, *torch.autograd.grad(right, (x, w), g)), strict=True
    ):
        assert (mine - theirs).abs().max() < 1e-13 * theirs.abs().max()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(2, 64, 20, 23), (1, 21, 9, 5), (3, 16, 4, 4)])
def test_bfloat16_is_about_a_hundredth_away(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    x = draw(*shape, kind=torch.bfloat16).contiguous(memory_format=layout).requires_grad_()
    w = draw(40, shape[1], 3, 3, seed=1, kind=torch.float32).requires_grad_()
    y = winograd.winograd(x, w, 1)
    g = draw(*y.shape, seed=2, kind=torch.bfloat16)
    exact = [t.detach().double().requires_grad_() for t in (x, w)]
    right = F.conv2d(*exact, padding=1)
    grads = (torch.autograd.grad(y, (x, w), g), torch.autograd.grad(right, exact, g.double()))
    assert y.dtype == torch.bfloat16
    assert grads[0][1].dtype == torch.float32
    for mine, theirs in zip((y, *grads[0]), (right, *grads[1]), strict=True):
        error = float((mine.double() - theirs).detach().norm() / theirs.detach().norm())
        print(f"bfloat16 error {error:.1e}, allowed 2e-2")
        assert error < 2e-2


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("group", [winograd.GROUP, 1])  # one for each team, or as many as there are rows of tiles
def test_any_number_of_threads_gives_the_same(group: int, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    x, w = draw(2, 20, 21, 18, kind=kind).requires_grad_(), draw(33, 20, 3, 3, seed=1, kind=torch.float32)
    s, d = (draw(2, n, seed=n, kind=torch.float32).square().requires_grad_() for n in (20, 33))
    w.requires_grad_()
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3, 5):
            torch.set_num_threads(count)
            y = modulated_winograd(x, s, d, w, 1)
            found.append((y, *torch.autograd.grad(y.square().sum(), (x, s, d, w))))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


def test_float32_is_a_few_roundings_from_the_exact_result() -> None:
    x, w = draw(1, 256, 40, 33, kind=torch.float32), draw(64, 256, 3, 3, seed=1, kind=torch.float32)
    right = F.conv2d(x.double(), w.double(), padding=1)
    found = float((winograd.winograd(x, w, 1) - right).abs().max() / right.abs().max())
    print(f"float32 error {found:.1e} of the largest value, allowed 1e-5")
    assert found < 1e-5


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_gradients_are_right_to_second_order(padding: int) -> None:
    given = (draw(2, 2, 5, 6).requires_grad_(), draw(3, 2, 3, 3, seed=1).requires_grad_())
    assert gradcheck(lambda x, w: winograd.winograd(x, w, padding), given)
    assert gradgradcheck(lambda x, w: winograd.winograd(x, w, padding), given)


def modulated(x: Tensor, s: Tensor, d: Tensor, w: Tensor, padding: int) -> Tensor:
    return d[:, :, None, None] * F.conv2d(s[:, :, None, None] * x, w, padding=padding)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("results", [3, 50])
@pytest.mark.parametrize("shape", SHAPES)
def test_factors_of_both_sides_channels_go_in_with_it(
    shape: tuple[int, int, int, int], results: int, padding: int, layout: torch.memory_format
) -> None:
    n, channels, *_ = shape
    x, w = draw(*shape).contiguous(memory_format=layout), draw(results, channels, 3, 3, seed=1)
    s, d = draw(n, channels, seed=2), draw(n, results, seed=3).abs() + 0.1
    s[0, 0] = 0.0  # its gradient is none of 0 / 0
    given = [t.requires_grad_() for t in (x, s, d, w)]
    y, right = modulated_winograd(*given, padding), modulated(*given, padding)
    g = draw(*y.shape, seed=4)
    for mine, theirs in zip(
        (y, *torch.autograd.grad(y, given, g)), (right, *torch.autograd.grad(right, given, g)), strict=True
    ):
        assert (mine - theirs).abs().max() <= 1e-12 * theirs.abs().max()


def test_gradients_of_a_modulated_convolution_are_right_to_second_order() -> None:
    x, s, d, w = draw(2, 2, 5, 6), draw(2, 2, seed=2), draw(2, 3, seed=3).abs() + 0.5, draw(3, 2, 3, 3, seed=1)
    given = [t.requires_grad_() for t in (x, s, d, w)]
    assert gradcheck(lambda *t: modulated_winograd(*t, 1), given)
    assert gradgradcheck(lambda *t: modulated_winograd(*t, 1), given)
    for i in range(4):  # one alone, with the others fixed
        fixed = [t.detach() for t in given]
        one = lambda t, i=i, fixed=fixed: modulated_winograd(*fixed[:i], t, *fixed[i + 1 :], 1)  # noqa: E731
        assert gradgradcheck(one, (given[i],))


def test_a_graph_of_gradients_changes_none_where_d_comes_from_s_and_w() -> None:
    given = (draw(2, 3, 7, 6), draw(2, 3, seed=2), draw(4, 3, 3, 3, seed=1))
    found = []
    for way in (modulated_winograd, modulated):
        x, s, w = (t.clone().requires_grad_() for t in given)
        y = way(x, s, demodulation(w, s), w, 1)
        for graph in (False, True):
            found.append(torch.autograd.grad(y.square().sum(), (x, s, w), create_graph=graph, retain_graph=True))
        found.append(torch.autograd.grad(sum(t.square().sum() for t in found[-1]), (x, s, w)))
    for mine, theirs in zip(found[:3], found[3:], strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert (a - b).abs().max() < 1e-11 * b.abs().max()


@pytest.mark.parametrize(("s", "d"), [((1, 3), (2, 4)), ((2, 3), (1, 4)), ((2, 4), (2, 4)), ((3,), (2, 4))])
def test_factors_of_other_shapes_are_refused(s: tuple[int, ...], d: tuple[int, ...]) -> None:
    with pytest.raises(NetworkError, match="is needed"):
        modulated_winograd(draw(2, 3, 8, 8), draw(*s), draw(*d), draw(4, 3, 3, 3), 1)


def test_pictures_without_results_are_none() -> None:
    assert winograd.winograd(draw(1, 1, 4, 2), draw(1, 1, 3, 3), 0).shape == (1, 1, 2, 0)


def test_groups_of_tiles_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = draw(3, 4, 21, 18).requires_grad_(), draw(5, 4, 3, 3, seed=1).requires_grad_()
    whole = torch.autograd.grad(winograd.winograd(x, w, 1).square().sum(), (x, w))
    monkeypatch.setattr(winograd, "GROUP", 1)
    pieces = torch.autograd.grad(winograd.winograd(x, w, 1).square().sum(), (x, w))
    for a, b in zip(whole, pieces, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_no_pictures_give_none() -> None:
    assert winograd.winograd(draw(0, 2, 8, 8), draw(3, 2, 3, 3), 1).shape == (0, 3, 8, 8)


def test_any_layout_gives_the_same() -> None:
    x, w = draw(2, 3, 12, 9), draw(4, 3, 3, 3, seed=1)
    right = winograd.winograd(x, w, 1)
    for other in (x.contiguous(memory_format=torch.channels_last), x.transpose(2, 3).contiguous().transpose(2, 3)):
        assert torch.equal(winograd.winograd(other, w, 1), right)


@pytest.mark.parametrize(("impl", "called"), [("auto", True), ("fused", True), ("plain", False), ("reference", False)])
def test_large_convolutions_go_this_way_and_are_the_same(
    impl: str, called: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    kept = winograd.winograd
    monkeypatch.setattr(convolution, "winograd", lambda *given: calls.append(1) or kept(*given))
    x, w, bias = draw(5, 48, 40, 40), draw(48, 48, 3, 3, seed=1), draw(48, seed=2)
    x, w, bias = (t.float() for t in (x, w, bias))
    y = conv2d(x, w, bias, padding=1, impl=impl)  # type: ignore[arg-type]
    right = F.conv2d(x, w, bias, padding=1)
    assert bool(calls) == called
    assert (y - right).abs().max() < 1e-5 * right.abs().max()


@pytest.mark.parametrize(("channels", "kernel"), [(32, 16), (16, 32)])
def test_kernels_of_other_channels_are_refused(channels: int, kernel: int) -> None:
    with pytest.raises(RuntimeError, match="channels"):
        conv2d(draw(2, channels, 32, 32).float(), draw(16, kernel, 3, 3).float(), padding=1)


def test_torchs_default_device_is_not_the_pictures() -> None:
    x, w = draw(2, 3, 12, 9), draw(4, 3, 3, 3, seed=1)
    right = winograd.winograd(x, w, 1)
    with torch.device("meta"):
        assert torch.equal(winograd.winograd(x, w, 1), right)


def test_what_it_doesnt_take_goes_the_usual_way() -> None:
    for x, w, padding in (
        (draw(5, 48, 40, 40), draw(48, 48, 3, 3), 1),  # float64
        (draw(5, 48, 40, 40, kind=torch.float32), draw(48, 48, 1, 1, kind=torch.float32), 0),
        (draw(5, 4, 40, 40, kind=torch.float32), draw(48, 4, 3, 3, kind=torch.float32), 1),  # few channels
        (draw(1, 48, 8, 8, kind=torch.float32), draw(48, 48, 3, 3, kind=torch.float32), 1),  # few tiles
    ):
        assert not convolution.by_winograd(x, w, padding, "auto")
        assert torch.equal(conv2d(x, w, padding=padding), F.conv2d(x, w, padding=padding))
