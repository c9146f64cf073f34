# SPDX-License-Identifier: Apache-2.0
"""The CPU's 3x3 convolution with stride 2, and its transpose, with nine sixteenths of the multiplications."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan3.ops import convolution, halving, winograd
from stylegan3.ops.convolution import conv2d, conv_doubled
from stylegan3.ops.engines import choice
from stylegan3.ops.halving import doubled, halved

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(choice(CPU).kernels is None, reason=f"no kernels: {choice(CPU).reason}")

Way = Callable[[Tensor, Tensor], Tensor]


def draw(*shape: int, seed: int = 0, kind: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(kind)


def halved_by_the_library(x: Tensor, w: Tensor) -> Tensor:
    return F.conv2d(x, w, stride=2)


def doubled_by_the_library(y: Tensor, w: Tensor) -> Tensor:
    return F.conv_transpose2d(y, w, stride=2)


def operands(
    way: Way, shape: tuple[int, ...], results: int, kind: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Return pictures of which the smaller one's size and the number of channels that go in are given, and kernels."""
    n, channels, h, w = shape
    wide = torch.promote_types(kind, torch.float32)
    if way is halved:
        return draw(n, channels, 2 * h + 1, 2 * w + 1, kind=kind), draw(results, channels, 3, 3, seed=1, kind=wide)
    return draw(*shape, kind=kind), draw(channels, results, 3, 3, seed=1, kind=wide)


WAYS = [(halved, halved_by_the_library), (doubled, doubled_by_the_library)]
SHAPES = [(2, 5, 9, 14), (1, 1, 5, 4), (3, 4, 37, 22), (1, 2, 1, 40), (1, 3, 64, 1), (2, 37, 10, 6), (1, 16, 8, 12)]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("results", [3, 50])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("way", "library"), WAYS)
def test_both_are_the_librarys_in_the_layout_of_their_pictures(
    way: Way, library: Way, shape: tuple[int, ...], results: int, layout: torch.memory_format
) -> None:
    x, w = operands(way, shape, results)
    x, w = x.contiguous(memory_format=layout).requires_grad_(), w.requires_grad_()
    right, y = library(x, w), way(x, w)
    g = draw(*right.shape, seed=2)
    assert shape[1] == 1 or y.is_contiguous(memory_format=layout)  # one channel lies both ways
    for mine, theirs in zip(
        (y, *torch.autograd.grad(y, (x, w), g)), (right, *torch.autograd.grad(right, (x, w), g)), strict=True
    ):
        assert mine.shape == theirs.shape
        assert (mine - theirs).abs().max() < 1e-13 * theirs.abs().max()


@pytest.mark.parametrize("shape", SHAPES)
def test_each_is_the_others_transpose(shape: tuple[int, ...]) -> None:
    x, w = operands(halved, shape, 7)
    y = halved(x, w)
    g = draw(*y.shape, seed=2)
    back = doubled(g, w)
    assert back.shape == x.shape
    assert (y * g).sum().item() == pytest.approx((x * back).sum().item(), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize(("way", "library"), WAYS)
def test_gradients_are_right_to_second_order(way: Way, library: Way) -> None:
    given = tuple(t.requires_grad_() for t in operands(way, (2, 2, 5, 3), 3))
    assert gradcheck(way, given)
    assert gradgradcheck(way, given)
    x, w = (t.detach() for t in given)
    assert gradgradcheck(lambda x: way(x, w), (given[0],))
    assert gradgradcheck(lambda w: way(x, w), (given[1],))


def errors(
    way: Way, library: Way, shape: tuple[int, ...], kind: torch.dtype, layout: torch.memory_format
) -> list[float]:
    """Return how far results and gradients are from exact ones, in the mean square."""
    x, w = operands(way, shape, 40, kind)
    x, w = x.contiguous(memory_format=layout).requires_grad_(), w.requires_grad_()
    exact = [t.detach().double().requires_grad_() for t in (x, w)]
    y, right = way(x, w), library(*exact)
    g = draw(*y.shape, seed=2, kind=kind)
    ours, theirs = torch.autograd.grad(y, (x, w), g), torch.autograd.grad(right, exact, g.double())
    assert (y.dtype, ours[0].dtype, ours[1].dtype) == (kind, kind, torch.float32)
    pairs = zip((y, *ours), (right, *theirs), strict=True)
    return [((a.double() - b).norm() / b.norm()).item() for a, b in pairs]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(2, 64, 20, 23), (1, 21, 9, 5), (3, 16, 4, 4)])
@pytest.mark.parametrize(("way", "library"), WAYS)
def test_bfloat16_is_about_a_hundredth_away(
    way: Way, library: Way, shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    for error in errors(way, library, shape, torch.bfloat16, layout):
        print(f"bfloat16 error {error:.1e}, allowed 1.2e-2")
        assert error < 1.2e-2


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("way", "library"), WAYS)
def test_float32_is_a_few_roundings_from_the_exact_result(way: Way, library: Way, layout: torch.memory_format) -> None:
    for error in errors(way, library, (1, 256, 20, 17), torch.float32, layout):
        print(f"float32 error {error:.1e}, allowed 1e-5")
        assert error < 1e-5


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("group", [winograd.GROUP, 1])  # one for each team, or as many as there are rows of tiles
@pytest.mark.parametrize(("way", "library"), WAYS)
def test_any_number_of_threads_gives_the_same(
    way: Way, library: Way, group: int, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    x, w = (t.requires_grad_() for t in operands(way, (3, 20, 21, 42), 33, kind))
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3, 5):
            torch.set_num_threads(count)
            y = way(x, w)
            found.append((y, *torch.autograd.grad(y.square().sum(), (x, w))))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


@pytest.mark.parametrize("width", [18, 42])  # a row of fewer tiles than a block of products takes, and of more
@pytest.mark.parametrize(("way", "library"), WAYS)
def test_groups_of_tiles_join_without_a_seam(
    way: Way, library: Way, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w = (t.requires_grad_() for t in operands(way, (3, 4, 21, width), 5))
    found = []
    monkeypatch.setattr(winograd, "GROUP", 1)
    for y in (way(x, w), library(x, w)):
        found.append((y, *torch.autograd.grad(y.square().sum(), (x, w))))
    for mine, theirs in zip(*found, strict=True):
        assert (mine - theirs).abs().max() < 1e-12 * theirs.abs().max()


def test_no_pictures_give_none() -> None:
    assert halved(draw(0, 2, 9, 9), draw(3, 2, 3, 3)).shape == (0, 3, 4, 4)
    assert doubled(draw(0, 3, 4, 4), draw(3, 2, 3, 3)).shape == (0, 2, 9, 9)


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (1, 1)])
def test_pictures_of_one_line_have_no_results_and_no_slope(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = halving.empty_as
    monkeypatch.setattr(halving, "empty_as", lambda *given: kept(*given).fill_(float("nan")))  # what nobody writes
    x, w = draw(2, 3, *size).requires_grad_(), draw(4, 3, 3, 3, seed=1).requires_grad_()
    y = halved(x, w)
    assert y.shape == (2, 4, size[0] // 2, size[1] // 2)
    for slope, of in zip(torch.autograd.grad(y.sum(), (x, w)), (x, w), strict=True):
        assert torch.equal(slope, torch.zeros_like(of))


@pytest.mark.parametrize(("way", "library"), WAYS)
def test_any_layout_gives_the_same(way: Way, library: Way) -> None:
    x, w = operands(way, (2, 3, 12, 9), 4)
    right = way(x, w)
    for other in (x.contiguous(memory_format=torch.channels_last), x.transpose(2, 3).contiguous().transpose(2, 3)):
        assert torch.equal(way(other, w), right)
    turned = w.transpose(2, 3).contiguous().transpose(2, 3)
    assert torch.equal(way(x, turned), right)


@pytest.mark.parametrize(("way", "library"), WAYS)
def test_torchs_default_device_is_not_the_pictures(way: Way, library: Way) -> None:
    x, w = operands(way, (2, 3, 6, 5), 4)
    right = way(x, w)
    with torch.device("meta"):
        assert torch.equal(way(x, w), right)


IMPLS = [("auto", True), ("fused", True), ("plain", False), ("reference", False)]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("impl", "called"), IMPLS)
def test_large_convolutions_with_stride_2_go_this_way_and_are_the_same(
    impl: str, called: bool, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(convolution, "halved", lambda *given: calls.append(1) or halved(*given))
    x, w, bias = draw(4, 32, 65, 65, kind=kind), draw(32, 32, 3, 3, seed=1).float(), draw(32, seed=2).float()
    y = conv2d(x, w, bias, stride=2, impl=impl)  # type: ignore[arg-type]
    right = F.conv2d(x.double(), w.double(), bias.double(), stride=2)
    assert bool(calls) == called
    assert y.dtype == kind
    assert (y - right).abs().max() < (1e-5 if kind == torch.float32 else 3e-2) * right.abs().max()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("impl", "called"), IMPLS)
def test_large_transposed_convolutions_go_this_way_and_are_the_same(
    impl: str, called: bool, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(convolution, "doubled", lambda *given: calls.append(1) or doubled(*given))
    x, w = draw(4, 32, 32, 32, kind=kind), draw(40, 32, 3, 3, seed=1).float()
    y = conv_doubled(x, w, impl=impl)  # type: ignore[arg-type]
    right = F.conv_transpose2d(x.double(), w.double().transpose(0, 1), stride=2)
    assert bool(calls) == called
    assert y.dtype == kind
    assert (y - right).abs().max() < (1e-5 if kind == torch.float32 else 3e-2) * right.abs().max()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither way may be called."""
    for name in ("halved", "doubled"):
        monkeypatch.setattr(convolution, name, lambda *given: pytest.fail("C++ was called"))


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("shape", "results", "kernel", "padding", "kind"),
    [
        ((4, 32, 65, 65), 32, 3, 0, torch.float64),
        ((4, 32, 64, 65), 32, 3, 0, torch.float32),  # even sizes
        ((4, 32, 65, 64), 32, 3, 0, torch.float32),
        ((4, 32, 65, 65), 32, 3, 1, torch.float32),
        ((4, 32, 65, 65), 32, 1, 0, torch.float32),
        ((4, 31, 65, 65), 32, 3, 0, torch.float32),  # few channels
        ((4, 32, 65, 65), 31, 3, 0, torch.float32),
        ((4, 32, 65, 57), 32, 3, 0, torch.float32),  # few tiles
    ],
)
def test_what_halving_doesnt_take_goes_the_usual_way(
    shape: tuple[int, ...], results: int, kernel: int, padding: int, kind: torch.dtype
) -> None:
    x, w = draw(*shape, kind=kind), draw(results, shape[1], kernel, kernel, kind=kind)
    assert torch.equal(conv2d(x, w, padding=padding, stride=2), F.conv2d(x, w, padding=padding, stride=2))


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("shape", "results", "kernel", "kind"),
    [
        ((4, 32, 32, 32), 32, 3, torch.float64),
        ((4, 32, 32, 32), 32, 1, torch.float32),
        ((4, 31, 32, 32), 32, 3, torch.float32),  # few channels
        ((4, 32, 32, 32), 31, 3, torch.float32),
        ((4, 32, 32, 28), 32, 3, torch.float32),  # few tiles
    ],
)
def test_what_doubling_doesnt_take_goes_the_usual_way(
    shape: tuple[int, ...], results: int, kernel: int, kind: torch.dtype
) -> None:
    x, w = draw(*shape, kind=kind), draw(results, shape[1], kernel, kernel, kind=kind)
    assert torch.equal(conv_doubled(x, w), F.conv_transpose2d(x, w.transpose(0, 1), stride=2))


@pytest.mark.parametrize(("channels", "kernel"), [(64, 32), (32, 64)])
def test_kernels_of_other_channels_are_refused(channels: int, kernel: int) -> None:
    w = draw(32, kernel, 3, 3).float()
    with pytest.raises(RuntimeError, match="channels"):
        conv2d(draw(4, channels, 65, 65).float(), w, stride=2)
    with pytest.raises(RuntimeError, match="channels"):
        conv_doubled(draw(4, channels, 32, 32).float(), w)
