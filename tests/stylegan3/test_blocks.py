# SPDX-License-Identifier: Apache-2.0
"""Pictures in blocks of channels: there and back, and the CPU's modulated convolution of them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan3.errors import NetworkError
from stylegan3.networks.moments import mean_square
from stylegan3.ops import winograd
from stylegan3.ops.blocks import WIDTH, Blocks, blocked, count, each_block, filled, planes
from stylegan3.ops.convolution import by_winograd
from stylegan3.ops.ends import to_picture
from stylegan3.ops.engines import choice
from stylegan3.ops.layout import channels_last
from stylegan3.ops.modulation import demodulation
from stylegan3.ops.winograd_modulated import modulated_blocks, modulated_winograd

CPU = torch.device("cpu")
convolves = pytest.mark.skipif(choice(CPU).kernels is None, reason=f"no kernels: {choice(CPU).reason}")

KINDS = [torch.float32, torch.float64, torch.bfloat16]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def draw(*shape: int, seed: int = 0, kind: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(kind)


PICTURES = [(2, 16, 5, 7), (3, 37, 4, 6), (1, 128, 3, 2), (2, 33, 1, 1), (1, 5, 6, 3), (2, 1, 3, 3), (0, 20, 4, 4)]
pictures = pytest.mark.parametrize("shape", PICTURES)


@pictures
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_planes_of_blocks_are_the_pictures(
    shape: tuple[int, ...], layout: torch.memory_format, kind: torch.dtype
) -> None:
    x = draw(*shape, kind=kind).contiguous(memory_format=layout)
    there = blocked(x)
    assert there.shape == shape
    assert there.numbers.dtype == kind
    assert there.numbers.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(planes(there), x)
    again = blocked(planes(there))
    assert torch.equal(again.numbers, there.numbers)
    assert again.shape == shape


@pictures
def test_a_block_holds_sixteen_channels_and_the_last_one_zeros_besides(shape: tuple[int, ...]) -> None:
    n, channels, height, width = shape
    x = draw(*shape)
    numbers = blocked(x).numbers
    assert numbers.shape == (n * count(channels), 16, height, width)
    for block in range(count(channels)):
        own = numbers[block :: count(channels)]
        here = x[:, 16 * block : 16 * block + 16]
        assert torch.equal(own[:, : here.shape[1]], here)
        assert not own[:, here.shape[1] :].any()


def test_a_place_of_a_block_lies_beside_the_next_one() -> None:
    x = torch.arange(40.0)[:, None, None] + 100 * torch.arange(3.0)[:, None] + 1000 * torch.arange(2.0)
    lie = blocked(x[None]).numbers.permute(0, 2, 3, 1).flatten()
    assert lie[:16].tolist() == list(range(16))
    assert lie[16:18].tolist() == [1000, 1001]
    assert lie[32:34].tolist() == [100, 101]
    assert lie[6 * 16 : 6 * 16 + 2].tolist() == [16, 17]  # the second block, after all places of the first one


def test_what_is_in_blocks_or_planes_already_stays_what_it_is() -> None:
    x = draw(2, 20, 3, 4)
    there = blocked(x)
    assert blocked(there) is there
    assert planes(x) is x


@pytest.mark.parametrize("channels", [1, 15, 16, 17, 37, 128])
def test_numbers_of_channels_are_filled_with_zeros(channels: int) -> None:
    for shape in ((channels,), (3, channels)):
        numbers = draw(*shape)
        full = filled(numbers)
        assert full.shape == (*shape[:-1], WIDTH * count(channels))
        assert torch.equal(full[..., :channels], numbers)
        assert not full[..., channels:].any()


def test_going_there_and_back_has_the_gradients_of_doing_nothing() -> None:
    for shape in ((2, 3, 2, 3), (1, 17, 1, 2), (1, 16, 2, 1)):
        x = draw(*shape).requires_grad_()
        for way in (lambda x: blocked(x).numbers.square(), lambda x: planes(blocked(x)).pow(3)):
            assert gradcheck(way, (x,), fast_mode=True)
            assert gradgradcheck(way, (x,), fast_mode=True)
        y = planes(blocked(x))
        g = draw(*shape, seed=1)
        assert torch.equal(torch.autograd.grad(y, x, g)[0], g)


@pytest.mark.parametrize("shape", [s for s in PICTURES if s[0]])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_mean_squares_are_those_of_the_same_pictures_in_planes(shape: tuple[int, ...], kind: torch.dtype) -> None:
    x = 3 * draw(*shape, kind=kind).requires_grad_()
    found, right = blocked(x).mean_squares(), x.detach().double().square().mean(dim=(1, 2, 3)).sum()
    assert found.dtype == torch.float32
    assert not found.requires_grad
    # in bfloat16 each norm is rounded, by 2^-9 of itself at most, as those of planes are
    allowed = 2**-8 if kind == torch.bfloat16 else 1e-6
    assert float(found) == pytest.approx(float(right), rel=allowed)
    assert float(found) == pytest.approx(float(mean_square(x.detach()).sum()), rel=2 * allowed)


def test_mean_squares_of_large_pictures_lose_nothing() -> None:
    """Squares are summed in parts: one after another, some 400000 numbers would lose the last ones."""
    x = 1 + 0.1 * draw(1, 37, 150, 160, kind=torch.float32)
    found = float(blocked(x).mean_squares())
    assert found == pytest.approx(float(x.double().square().mean()), rel=1e-5)


# The modulated convolution of blocks


Operands = tuple[Tensor, Tensor, Tensor, Tensor]


def operands(shape: tuple[int, ...], results: int, kind: torch.dtype = torch.float64) -> Operands:
    """Return pictures, factors of both sides and kernels, all of which want gradients."""
    n, channels = shape[:2]
    wide = torch.promote_types(kind, torch.float32)
    x, w = draw(*shape, kind=kind), draw(results, channels, 3, 3, seed=1, kind=wide)
    s, d = draw(n, channels, seed=2, kind=wide), draw(n, results, seed=3, kind=wide).abs() + 0.5
    return x.requires_grad_(), s.requires_grad_(), d.requires_grad_(), w.requires_grad_()


def by_blocks(x: Tensor, s: Tensor, d: Tensor, w: Tensor, padding: int) -> Tensor:
    return planes(modulated_blocks(blocked(x), s, d, w, padding))


SHAPES = [(2, 16, 9, 14), (3, 37, 10, 7), (1, 5, 13, 22), (2, 48, 4, 5), (1, 70, 5, 3)]


@convolves
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("results", [3, 16, 50])
@pytest.mark.parametrize("shape", SHAPES)
def test_blocks_are_convolved_as_planes_are(shape: tuple[int, ...], results: int, padding: int) -> None:
    given = operands(shape, results)
    given[1].data[0, 0] = 0.0  # a style's gradient is none of 0 / 0
    y, right = by_blocks(*given, padding), modulated_winograd(*given, padding)
    g = draw(*right.shape, seed=4)
    for mine, theirs in zip(
        (y, *torch.autograd.grad(y, given, g)), (right, *torch.autograd.grad(right, given, g)), strict=True
    ):
        assert mine.shape == theirs.shape
        assert (mine - theirs).abs().max() <= 1e-12 * theirs.abs().max()


@convolves
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize(("shape", "results"), [((2, 20, 9, 6), 37), ((1, 3, 5, 7), 16)])
def test_gradients_of_gradients_are_those_of_planes(shape: tuple[int, ...], results: int, padding: int) -> None:
    found = []
    for way in (by_blocks, modulated_winograd):
        given = operands(shape, results)
        y = way(*given, padding)
        g = draw(*y.shape, seed=4).requires_grad_()
        first = torch.autograd.grad(y, given, g, create_graph=True)
        total = sum((f * draw(*f.shape, seed=5 + i)).sum() for i, f in enumerate(first))
        found.append((*first, *torch.autograd.grad(total, (*given, g))))
    for mine, theirs in zip(*found, strict=True):
        assert (mine - theirs).abs().max() <= 1e-11 * theirs.abs().max()


@convolves
@pytest.mark.parametrize("padding", [0, 2])
def test_gradients_are_right_to_second_order(padding: int) -> None:
    given = operands((2, 2, 4, 3), 3)
    way = lambda *t: by_blocks(*t, padding)  # noqa: E731
    assert gradcheck(way, given)
    assert gradgradcheck(way, given)


@convolves
@pytest.mark.parametrize("i", range(4))
def test_each_operand_has_its_gradient_alone(i: int) -> None:
    given = operands((1, 17, 4, 3), 3)
    found = []
    for way in (by_blocks, modulated_winograd):
        fixed = [t.detach() for t in given]
        t = fixed[i].clone().requires_grad_()
        y = way(*fixed[:i], t, *fixed[i + 1 :], 1)
        (first,) = torch.autograd.grad(y.square().sum(), t, create_graph=True)
        found.append((first, *torch.autograd.grad(first.square().sum(), t)))
    for mine, theirs in zip(*found, strict=True):
        assert (mine - theirs).abs().max() <= 1e-11 * theirs.abs().max()


@convolves
def test_a_graph_of_gradients_changes_none_where_d_comes_from_s_and_w() -> None:
    x, s, _, w = operands((2, 18, 7, 6), 20)
    y = by_blocks(x, s, demodulation(w, s), w, 1)
    alone, graph = (
        torch.autograd.grad(y.square().sum(), (x, s, w), create_graph=graph, retain_graph=True)
        for graph in (False, True)
    )
    for a, b in zip(alone, graph, strict=True):
        assert (a - b).abs().max() < 1e-11 * b.abs().max()


@convolves
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("channels", "results"), [(20, 37), (33, 3), (1, 17)])
def test_lanes_that_fill_a_block_are_zero_in_results_and_gradients(
    channels: int, results: int, kind: torch.dtype
) -> None:
    x, s, d, w = operands((2, channels, 9, 10), results, kind)
    there = Blocks(blocked(x.detach()).numbers.requires_grad_(), channels)
    y = modulated_blocks(there, s, d, w, 1)
    assert y.shape == (2, results, 9, 10)
    assert y.numbers.dtype == kind
    assert channels_last(y.numbers)
    g = blocked(draw(*y.shape, seed=4, kind=kind)).numbers.requires_grad_()
    for graph in (False, True):
        (g_x,) = torch.autograd.grad(y.numbers, there.numbers, g, create_graph=graph, retain_graph=True)
        for numbers, used in ((y.numbers, results), (g_x, channels)):
            lanes = numbers.detach().unflatten(0, (2, count(used))).transpose(1, 2)  # [N, 16, B, H, W]
            lanes = lanes.transpose(1, 2).flatten(1, 2)
            assert lanes[:, :used].any()
            assert not lanes[:, used:].any()


@convolves
@pytest.mark.parametrize(("channels", "results"), [(20, 37), (64, 16)])
def test_bfloat16_is_about_a_hundredth_away(channels: int, results: int) -> None:
    given = operands((2, channels, 13, 18), results, torch.bfloat16)
    exact = [t.detach().double().requires_grad_() for t in given]
    y, right = by_blocks(*given, 1), modulated_winograd(*exact, 1)
    g = draw(*right.shape, seed=4, kind=torch.bfloat16)
    ours, theirs = torch.autograd.grad(y, given, g), torch.autograd.grad(right, exact, g.double())
    assert [t.dtype for t in ours] == [torch.bfloat16, *[torch.float32] * 3]
    for a, b in zip((y, *ours), (right, *theirs), strict=True):
        error = float((a.double() - b).detach().norm() / b.detach().norm())
        print(f"bfloat16 error {error:.1e}, allowed 2e-2")
        assert error < 2e-2


@convolves
def test_float32_is_a_few_roundings_from_the_exact_result() -> None:
    given = operands((1, 100, 21, 18), 40, torch.float32)
    y, right = by_blocks(*given, 1), modulated_winograd(*(t.double() for t in given), 1)
    found = float((y - right).detach().abs().max() / right.detach().abs().max())
    print(f"float32 error {found:.1e} of the largest value, allowed 1e-5")
    assert found < 1e-5


@convolves
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("group", [winograd.GROUP, 1])  # one for each team, or as many as there are rows of tiles
def test_any_number_of_threads_gives_the_same(group: int, kind: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    given = operands((2, 20, 21, 18), 33, kind)
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2, 3, 5):
            torch.set_num_threads(number)
            y = by_blocks(*given, 1)
            found.append((y, *torch.autograd.grad(y.square().sum(), given)))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


@convolves
def test_gradients_that_come_in_any_layout_are_the_same() -> None:
    x, s, d, w = operands((2, 20, 9, 6), 18)
    y = modulated_blocks(blocked(x), s, d, w, 1).numbers
    g = draw(*y.shape, seed=4)
    right = torch.autograd.grad(y, (x, s, d, w), g.contiguous(memory_format=torch.channels_last), retain_graph=True)
    for other in (g, g.transpose(2, 3).contiguous().transpose(2, 3)):
        found = torch.autograd.grad(y, (x, s, d, w), other, retain_graph=True)
        for mine, theirs in zip(found, right, strict=True):
            assert (mine - theirs).abs().max() <= 1e-13 * theirs.abs().max()
    spread = torch.autograd.grad(y.sum(), (x, s, d, w), retain_graph=True)  # a gradient that is expanded
    right = torch.autograd.grad(y, (x, s, d, w), torch.ones_like(y))
    for mine, theirs in zip(spread, right, strict=True):
        assert (mine - theirs).abs().max() <= 1e-13 * theirs.abs().max()


@convolves
@pytest.mark.parametrize(("s", "d"), [((1, 20), (2, 4)), ((2, 20), (1, 4)), ((2, 32), (2, 4)), ((2, 20), (2, 16))])
def test_factors_of_other_shapes_are_refused(s: tuple[int, ...], d: tuple[int, ...]) -> None:
    with pytest.raises(NetworkError, match="is needed"):
        modulated_blocks(blocked(draw(2, 20, 8, 8)), draw(*s), draw(*d), draw(4, 20, 3, 3), 1)


@convolves
def test_no_pictures_give_none() -> None:
    y = modulated_blocks(blocked(draw(0, 20, 8, 8)), draw(0, 20), draw(0, 3), draw(3, 20, 3, 3), 1)
    assert y.shape == (0, 3, 8, 8)
    assert planes(y).shape == (0, 3, 8, 8)


@convolves
@pytest.mark.parametrize("wrap", [blocked, planes])
def test_blocks_are_convolved_in_winograds_way_where_planes_are(wrap: Callable[[Tensor], Tensor | Blocks]) -> None:
    x, w = draw(2, 20, 24, 24, kind=torch.float32), draw(16, 20, 3, 3, kind=torch.float32)
    assert by_winograd(wrap(x), w, 1, "auto")
    assert not by_winograd(wrap(x), w, 1, "plain")
    assert not by_winograd(wrap(x[:, :, :8, :8]), w, 1, "auto")  # few tiles
    assert not by_winograd(wrap(x), w[:15], 1, "auto")  # few channels
    assert not by_winograd(wrap(x), w[:, :19], 1, "auto")  # other channels
    assert not by_winograd(wrap(x), w[:, :, :1, :1], 0, "auto")
    assert not by_winograd(wrap(x), w, 3, "auto")
    assert not by_winograd(wrap(x.double()), w, 1, "auto")


# Their end: 1x1 kernels to few channels


@pytest.mark.parametrize("channels", [5, 16, 37, 64])
def test_kernels_of_each_block_add_up_to_those_of_the_pictures(channels: int) -> None:
    x, kernels = draw(2, channels, 3, 4), draw(2, 3, channels, seed=1)
    each = each_block(kernels)
    assert each.shape == (2 * count(channels), 3, WIDTH)
    found = torch.einsum("pchw,pfc->pfhw", blocked(x).numbers, each).unflatten(0, (2, -1)).sum(1)
    right = torch.einsum("nchw,nfc->nfhw", x, kernels)
    assert (found - right).abs().max() < 1e-13 * right.abs().max()


@convolves
@pytest.mark.parametrize("impl", ["auto", "plain", "reference"])
@pytest.mark.parametrize(("n", "channels"), [(2, 16), (3, 37), (1, 20), (1, 5)])
def test_a_picture_of_blocks_is_that_of_planes_with_its_gradients(n: int, channels: int, impl: str) -> None:
    given = draw(n, channels, 6, 9), draw(4, channels, 1, 1, seed=1), draw(n, channels, seed=2)
    found = []
    for there in (blocked, planes):
        x, w, styles = (t.clone().requires_grad_() for t in given)
        y = to_picture(there(x), w, styles, impl=impl)  # type: ignore[arg-type]
        g = draw(*y.shape, seed=3).requires_grad_()
        first = torch.autograd.grad(y, (x, w, styles), g, create_graph=True)
        total = sum((f * draw(*f.shape, seed=4 + i)).sum() for i, f in enumerate(first))
        found.append((y, *first, *torch.autograd.grad(total, (x, w, styles, g))))
    for mine, theirs in zip(*found, strict=True):
        assert mine.shape == theirs.shape
        assert (mine - theirs).abs().max() <= 1e-12 * theirs.abs().max()


@convolves
def test_a_picture_of_blocks_in_bfloat16_is_summed_in_float32() -> None:
    x = draw(2, 37, 6, 9, kind=torch.bfloat16)
    w, styles = draw(3, 37, 1, 1, seed=1, kind=torch.float32), draw(2, 37, seed=2, kind=torch.float32)
    y = to_picture(blocked(x), w, styles)
    right = to_picture(x.double(), w.double(), styles.double(), impl="reference")
    assert y.dtype == torch.float32
    assert (y - right).abs().max() < 1e-5 * right.abs().max()


@convolves
@pytest.mark.parametrize("there", [blocked, planes])
def test_as_many_styles_are_asked_for_as_there_are_pictures(there: Callable[[Tensor], Tensor | Blocks]) -> None:
    for n in (1, 6):  # of blocks there are 6
        with pytest.raises(NetworkError, match="3 are needed"):
            to_picture(there(draw(3, 20, 4, 4)), draw(2, 20, 1, 1), draw(n, 20))


@convolves
@pytest.mark.parametrize("there", [blocked, planes])
def test_no_pictures_have_no_end(there: Callable[[Tensor], Tensor | Blocks]) -> None:
    assert to_picture(there(draw(0, 20, 4, 4)), draw(3, 20, 1, 1), draw(0, 20)).shape == (0, 3, 4, 4)
