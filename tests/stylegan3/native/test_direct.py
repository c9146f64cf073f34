# SPDX-License-Identifier: Apache-2.0
"""The CPU's 3x3 convolutions of bfloat16 in tile registers: those of the processor, and some in memory.

Whole numbers that bfloat16 holds, factors of powers of two: sums of their products are exact in float32, in any order.
"""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan3.ops import winograd
from stylegan3.ops.blocks import Blocks, blocked, planes
from stylegan3.ops.halving import doubled, halved
from stylegan3.ops.native import cpu
from stylegan3.ops.winograd import correlate, kernel_gradient
from tests.stylegan3.native import tiles

LIBRARIES = {
    "in_software": (tiles.why_not_in_software(), tiles.in_software),
    "in_registers": (tiles.why_not_in_registers(), cpu.library),
}


@pytest.fixture(autouse=True, params=LIBRARIES)
def tile_registers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    reason, library = LIBRARIES[request.param]
    if reason:
        pytest.skip(reason)
    watched = tiles.Watched(library())
    monkeypatch.setattr(cpu, "library", lambda: watched)


@pytest.fixture(autouse=True)
def memory_is_no_number() -> Iterator[None]:
    """What nobody has written reads as no number, in float32 and in bfloat16."""
    torch.use_deterministic_algorithms(True)
    assert torch.empty(8, dtype=torch.uint8).view(torch.float32).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


def draw(*shape: int, seed: int = 0, kind: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(kind)


def whole(*shape: int, seed: int = 0, kind: torch.dtype = torch.float32) -> Tensor:
    """Return whole numbers from -8 to 8."""
    return torch.randint(-8, 9, shape, generator=torch.Generator().manual_seed(seed)).to(kind)


def power(*shape: int, seed: int = 0) -> Tensor:
    """Return factors of 1/2, 1 and 2, of both signs, and 0."""
    numbers = torch.randint(-3, 4, shape, generator=torch.Generator().manual_seed(seed))
    return numbers.sign() * 2.0 ** (numbers.abs() - 2)


def times(factors: Tensor, x: Tensor) -> Tensor:
    return factors[:, :, None, None].to(x.dtype) * x


def error(found: Tensor, right: Tensor) -> float:
    return float((found.double() - right).norm() / right.norm())


BFLOAT16 = torch.bfloat16
PICTURES = [  # N, C, H, W -> O
    ((1, 1, 3, 3), 1),
    ((2, 5, 9, 14), 17),
    ((1, 33, 13, 7), 40),
    ((3, 17, 11, 30), 5),  # three slabs a picture and nine in all, of odd shares
    ((1, 40, 5, 67), 33),  # rows of more than a block of 32 places
    ((2, 16, 20, 16), 32),
    ((1, 65, 6, 5), 50),  # three pairs of groups of channels, four groups of results
    ((1, 2, 47, 3), 3),
    ((9, 17, 5, 6), 33),  # two pictures a slab, but for the last one, where kernels' gradients are summed
    ((8, 3, 3, 31), 1),
]
PLANES, INNERMOST, BLOCKED = "planes", "innermost", "blocks"


def laid(x: Tensor, layout: str) -> Tensor:
    if layout == BLOCKED:
        return blocked(x).numbers
    return x.contiguous(memory_format=torch.channels_last if layout == INNERMOST else torch.contiguous_format)


def planes_of(numbers: Tensor, layout: str, channels: int) -> Tensor:
    """Return pictures as planes; channels that fill a block are zeros."""
    if layout != BLOCKED:
        return numbers
    x = planes(Blocks(numbers, channels))
    assert torch.equal(blocked(x).numbers, numbers)
    return x


groups = pytest.mark.parametrize("group", [winograd.GROUP, 1])  # slabs of all rows, or of four
pictures = pytest.mark.parametrize(("shape", "results"), PICTURES)


@groups
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("layout", [PLANES, INNERMOST, BLOCKED])
@pictures
def test_a_convolution_of_whole_numbers_is_exact(
    shape: tuple[int, int, int, int],
    results: int,
    layout: str,
    padding: int,
    group: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    n, channels = shape[:2]
    x, w = whole(*shape, kind=BFLOAT16), whole(results, channels, 3, 3, seed=1)
    plain = F.conv2d(x.double(), w.double(), padding=padding)
    beside, s, d = whole(*plain.shape, seed=2, kind=BFLOAT16), power(n, channels, seed=3), power(n, results, seed=4)
    of = n if layout == BLOCKED else None
    y, _ = correlate(laid(x, layout), w, padding, pictures=of)
    assert torch.equal(planes_of(y, layout, results), plain.to(BFLOAT16))
    inner = F.conv2d(times(s, x.double()), w.double(), padding=padding)
    y, dots = correlate(laid(x, layout), w, padding, s, d, laid(beside, layout), of)
    assert dots is not None
    assert torch.equal(planes_of(y, layout, results), times(d, inner).to(BFLOAT16))
    assert torch.equal(dots.double(), (inner * beside.double()).sum((2, 3)))


def gradient(x: Tensor, g: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Return that of the kernels, in float64."""
    w = torch.zeros(g.shape[1], x.shape[1], 3, 3, dtype=torch.float64, requires_grad=True)
    y = F.conv2d(x.double(), w, stride=stride, padding=padding)
    return torch.autograd.grad(y, w, g.double())[0]


@groups
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("layout", [PLANES, INNERMOST, BLOCKED])
@pictures
def test_a_gradient_of_kernels_from_whole_numbers_is_exact(
    shape: tuple[int, int, int, int],
    results: int,
    layout: str,
    padding: int,
    group: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    n, channels, height, width = shape
    x = whole(*shape, kind=BFLOAT16)
    g = whole(n, results, height + 2 * padding - 2, width + 2 * padding - 2, seed=1, kind=BFLOAT16)
    s, d = power(n, channels, seed=2), power(n, results, seed=3)
    of = (n, channels, results) if layout == BLOCKED else None
    found = kernel_gradient(laid(g, layout), laid(x, layout), padding, blocks_of=of)
    assert torch.equal(found.double(), gradient(x, g, padding=padding))
    found = kernel_gradient(laid(g, layout), laid(x, layout), padding, s, d, of)
    right = gradient(times(s, x), times(d, g), padding=padding)
    assert torch.equal(found.double(), right)


@groups
@pytest.mark.parametrize("layout", [PLANES, INNERMOST])
@pictures
def test_stride_2_and_its_transpose_are_exact(
    shape: tuple[int, int, int, int], results: int, layout: str, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    n, channels, height, width = shape
    x, small = whole(n, channels, 2 * height + 1, 2 * width + 1, kind=BFLOAT16), whole(*shape, kind=BFLOAT16)
    w, turned = whole(results, channels, 3, 3, seed=1), whole(channels, results, 3, 3, seed=1)
    y = halved(laid(x, layout), w)
    assert torch.equal(y, F.conv2d(x.double(), w.double(), stride=2).to(BFLOAT16))
    y = doubled(laid(small, layout), turned)
    assert torch.equal(y, F.conv_transpose2d(small.double(), turned.double(), stride=2).to(BFLOAT16))


@groups
@pytest.mark.parametrize("layout", [PLANES, INNERMOST])
@pictures
def test_a_gradient_of_kernels_of_stride_2_is_exact(
    shape: tuple[int, int, int, int], results: int, layout: str, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    n, channels, height, width = shape
    x = laid(whole(n, channels, 2 * height + 1, 2 * width + 1, kind=BFLOAT16), layout)
    w = torch.zeros(results, channels, 3, 3, requires_grad=True)
    g = whole(n, results, height, width, seed=1, kind=BFLOAT16)
    (found,) = torch.autograd.grad(halved(x, w), w, laid(g, layout))
    assert torch.equal(found.double(), gradient(x, g, stride=2))


@pytest.mark.parametrize("group", [int(2 ** (k / 2)) for k in range(28, 40)])  # slabs of 4 to 20 rows
def test_slabs_of_any_height_join_exactly(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    n, channels, results, height, width = 4, 17, 5, 18, 9
    x, w = whole(n, channels, height, width, kind=BFLOAT16), whole(results, channels, 3, 3, seed=1)
    g, double = whole(n, results, height, width, seed=2, kind=BFLOAT16), whole(n, channels, 37, 19, kind=BFLOAT16)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)  # a picture's last slab is written after the next picture's first one
    try:
        y, dots = correlate(x, w, 1, beside=g)
        slope, small, large = kernel_gradient(g, x, 1), halved(double, w), doubled(g, w)
        w.requires_grad_()
        (slope_of_halved,) = torch.autograd.grad(halved(double, w), w, g)
    finally:
        torch.set_num_threads(threads)
    exact = w.detach().double()
    right = F.conv2d(x.double(), exact, padding=1)
    assert dots is not None
    assert torch.equal(y, right.to(BFLOAT16))
    assert torch.equal(dots.double(), (right * g.double()).sum((2, 3)))
    assert torch.equal(slope.double(), gradient(x, g, padding=1))
    assert torch.equal(small, F.conv2d(double.double(), exact, stride=2).to(BFLOAT16))
    assert torch.equal(large, F.conv_transpose2d(g.double(), exact, stride=2).to(BFLOAT16))
    assert torch.equal(slope_of_halved.double(), gradient(double, g, stride=2))


ROUNDINGS = 4e-3  # of samples with their factors, kernels and results to bfloat16: 3.5e-3 rms; Winograd's way 1.1e-2
SIZES = [((2, 64, 20, 23), 40), ((3, 21, 9, 5), 33), ((1, 40, 33, 6), 17)]


@pytest.mark.parametrize("layout", [PLANES, INNERMOST, BLOCKED])
@pytest.mark.parametrize(("shape", "results"), SIZES)
def test_nothing_is_lost_but_by_rounding_operands_and_results(
    shape: tuple[int, int, int, int], results: int, layout: str
) -> None:
    n, channels = shape[:2]
    x, w = draw(*shape, kind=BFLOAT16), draw(results, channels, 3, 3, seed=1)
    s, d = draw(n, channels, seed=2), draw(n, results, seed=3)
    beside = draw(n, results, *shape[2:], seed=4, kind=BFLOAT16)
    inner = F.conv2d(times(s, x.double()), w.double(), padding=1)
    of = (n, channels, results) if layout == BLOCKED else None
    y, dots = correlate(laid(x, layout), w, 1, s, d, laid(beside, layout), of and n)
    assert dots is not None
    slope = kernel_gradient(laid(beside, layout), laid(x, layout), 1, s, d, of)
    found = {
        "results": error(planes_of(y, layout, results), times(d, inner)),
        "dots": error(dots, (inner * beside.double()).sum((2, 3))),
        "kernels": error(slope, gradient(times(s, x.double()), times(d, beside.double()), padding=1)),
    }
    print(found, "allowed", ROUNDINGS)
    assert all(each < ROUNDINGS for each in found.values())


@pytest.mark.parametrize("layout", [PLANES, INNERMOST])
@pytest.mark.parametrize(("shape", "results"), SIZES)
def test_nothing_more_is_lost_with_stride_2(shape: tuple[int, int, int, int], results: int, layout: str) -> None:
    n, channels, height, width = shape
    x = draw(n, channels, 2 * height + 1, 2 * width + 1, kind=BFLOAT16)
    w = draw(results, channels, 3, 3, seed=1).requires_grad_()
    g = draw(n, results, height, width, seed=2, kind=BFLOAT16)
    y = halved(laid(x, layout), w)
    found = {
        "halved": error(y.detach(), F.conv2d(x.double(), w.detach().double(), stride=2)),
        "doubled": error(
            doubled(laid(g, layout), w.detach()), F.conv_transpose2d(g.double(), w.detach().double(), stride=2)
        ),
        "kernels": error(torch.autograd.grad(y, w, laid(g, layout))[0], gradient(x, g, stride=2)),
    }
    print(found, "allowed", ROUNDINGS)
    assert all(each < ROUNDINGS for each in found.values())


@pytest.mark.parametrize("group", [winograd.GROUP, 1, 1 << 18])  # kernels' gradients in one, two and four shares
@pytest.mark.parametrize("layout", [PLANES, INNERMOST, BLOCKED])
def test_any_number_of_threads_gives_the_same(layout: str, group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    n, channels, results, size = 5, 20, 33, (11, 18)
    x, w = draw(n, channels, *size, kind=BFLOAT16), draw(results, channels, 3, 3, seed=1)
    s, d = draw(n, channels, seed=2), draw(n, results, seed=3)
    beside = draw(n, results, *size, seed=4, kind=BFLOAT16)
    of = (n, channels, results) if layout == BLOCKED else None
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2, 3, 5):
            torch.set_num_threads(number)
            y, dots = correlate(laid(x, layout), w, 1, s, d, laid(beside, layout), of and n)
            assert dots is not None
            found.append((y, dots, kernel_gradient(laid(beside, layout), laid(x, layout), 1, s, d, of)))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


@groups
def test_any_number_of_threads_gives_the_same_with_stride_2(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "GROUP", group)
    x, g = draw(3, 20, 23, 37, kind=BFLOAT16), draw(3, 33, 11, 18, seed=2, kind=BFLOAT16)
    w = draw(33, 20, 3, 3, seed=1).requires_grad_()
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 2, 3, 5):
            torch.set_num_threads(number)
            y = halved(x, w)
            found.append((y, doubled(g, w), *torch.autograd.grad(y, w, g)))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


def test_no_pictures_have_no_gradient() -> None:
    x, g = draw(0, 5, 8, 8, kind=BFLOAT16), draw(0, 3, 8, 8, kind=BFLOAT16)
    assert correlate(x, draw(3, 5, 3, 3), 1)[0].shape == (0, 3, 8, 8)
    assert torch.equal(kernel_gradient(g, x, 1), torch.zeros(3, 5, 3, 3))


def test_results_may_have_no_rows_and_pictures_no_channels() -> None:
    x, w = draw(1, 5, 2, 4, kind=BFLOAT16), draw(3, 5, 3, 3)
    assert correlate(x, w, 0)[0].shape == (1, 3, 0, 2)
    assert torch.equal(kernel_gradient(draw(1, 3, 0, 2, kind=BFLOAT16), x, 0), torch.zeros(3, 5, 3, 3))
    assert halved(draw(1, 5, 1, 9, kind=BFLOAT16), w).shape == (1, 3, 0, 4)
    assert correlate(draw(1, 0, 5, 5, kind=BFLOAT16), draw(0, 0, 3, 3), 1)[0].shape == (1, 0, 5, 5)


def test_dots_of_results_without_columns_are_zeros() -> None:
    beside = draw(1, 3, 4, 0, kind=BFLOAT16)
    _, dots = correlate(draw(1, 5, 6, 2, kind=BFLOAT16), draw(3, 5, 3, 3), 0, beside=beside)
    assert dots is not None
    assert torch.equal(dots, torch.zeros(1, 3))


def test_what_is_no_number_stays_where_it_is() -> None:
    x, w = draw(1, 5, 12, 9, kind=BFLOAT16), draw(3, 5, 3, 3, seed=1)
    x[0, 2, 5, 8] = float("nan")
    y, _ = correlate(x, w, 1)
    reached = F.conv2d(x.isnan().any(1, keepdim=True).float(), torch.ones(1, 1, 3, 3), padding=1) > 0
    assert torch.equal(y.isnan(), reached.expand_as(y))
