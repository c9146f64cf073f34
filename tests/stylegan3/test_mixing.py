# SPDX-License-Identifier: Apache-2.0
"""1x1 convolutions between a picture's few channels and a network's many."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan3.errors import NetworkError
from stylegan3.ops.ends import mixes, to_picture
from stylegan3.ops.engines import choice
from stylegan3.ops.mixing import to_few, to_many

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(choice(CPU).kernels is None, reason=f"no kernels: {choice(CPU).reason}")
LAYOUTS = [torch.contiguous_format, torch.channels_last]
UP, DOWN = "nfhw,nfm->nmhw", "nmhw,nfm->nfhw"


def draw(*shape: int, seed: int = 0, kind: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(kind)


def errors(y: Tensor, right: Tensor, given: tuple[Tensor, Tensor], exact: tuple[Tensor, Tensor]) -> list[float]:
    """Return how far a value and two gradients are off, of the largest number of each."""
    g = draw(*y.shape, seed=9, kind=y.dtype)
    mine = (y, *torch.autograd.grad(y, given, g))
    theirs = (right, *torch.autograd.grad(right, exact, g.double()))
    return [
        float((a.double() - b).detach().abs().max() / b.detach().abs().max()) for a, b in zip(mine, theirs, strict=True)
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("matrices", [1, 3])
@pytest.mark.parametrize(
    ("few", "many", "size"), [(1, 1, (1, 1)), (2, 5, (33, 34)), (3, 17, (9, 4)), (4, 128, (64, 70))]
)
@pytest.mark.parametrize(("kind", "allowed"), [(torch.float64, 1e-13), (torch.float32, 1e-5), (torch.bfloat16, 5e-3)])
def test_both_ways_are_matrix_products_with_float32_sums(
    kind: torch.dtype,
    allowed: float,
    few: int,
    many: int,
    size: tuple[int, int],
    matrices: int,
    layout: torch.memory_format,
) -> None:
    wide = torch.promote_types(kind, torch.float32)
    w = draw(matrices, few, many, seed=1, kind=wide).requires_grad_()
    x = draw(3, few, *size, kind=wide).requires_grad_()
    a = draw(3, many, *size, seed=2, kind=kind).contiguous(memory_format=layout).requires_grad_()
    exact = tuple(t.detach().double().requires_grad_() for t in (x, a, w))
    up, down = to_many(x, w, kind, layout), to_few(a, w)
    assert (up.dtype, down.dtype) == (kind, wide)
    assert up.is_contiguous(memory_format=layout)
    found = errors(up, torch.einsum(UP, exact[0], exact[2].expand(3, -1, -1)), (x, w), (exact[0], exact[2]))
    found += errors(down, torch.einsum(DOWN, exact[1], exact[2].expand(3, -1, -1)), (a, w), (exact[1], exact[2]))
    print(f"{kind}: largest error {max(found):.1e}, allowed {allowed:.0e}")
    assert max(found) < allowed


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("matrices", [1, 2])
def test_gradients_are_right_to_second_order_from_any_strides(matrices: int, layout: torch.memory_format) -> None:
    w = draw(matrices, 3, 2, seed=1).mT.requires_grad_()
    x = draw(2, 2, 5, 4).transpose(2, 3).requires_grad_()
    a = draw(2, 3, 5, 4, seed=2).transpose(2, 3).requires_grad_()
    for way, given in ((lambda x, w: to_many(x, w, torch.float64, layout), (x, w)), (to_few, (a, w))):
        assert gradcheck(way, given)
        assert gradgradcheck(way, given)


def test_any_number_of_threads_gives_the_same() -> None:
    threads, found = torch.get_num_threads(), []
    x, w = draw(3, 20, 40, 30, kind=torch.float32).requires_grad_(), draw(3, 4, 20, kind=torch.float32).requires_grad_()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            y = to_few(x, w)
            found.append((y, *torch.autograd.grad(y.square().sum(), (x, w))))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


@pytest.mark.parametrize("matrices", [0, 1])
def test_no_pictures_give_none(matrices: int) -> None:
    x, w = draw(0, 3, 4, 4).requires_grad_(), draw(matrices, 2, 3).requires_grad_()
    (g,) = torch.autograd.grad(to_few(x, w).sum(), (w,))
    assert (to_few(x, w).shape, g.shape, float(g.abs().sum())) == ((0, 2, 4, 4), w.shape, 0.0)
    for impl in ("auto", "plain", "reference"):
        assert to_picture(x, draw(4, 3, 1, 1), draw(0, 3), impl=impl).shape == (0, 4, 4, 4)  # type: ignore[arg-type]


@pytest.mark.parametrize("w", [(2, 3, 9), (1, 4, 8), (3, 3, 8), (3, 8), (1, 6, 8), (1, 0, 8)])
def test_matrices_of_other_shapes_are_refused(w: tuple[int, ...]) -> None:
    with pytest.raises(NetworkError, match="don't fit"):
        to_few(draw(2, 8, 4, 4) if w[-1] == 8 and w[1] != 4 else draw(2, 7, 4, 4), draw(*w))
    with pytest.raises(NetworkError, match="don't fit"):
        to_many(draw(2, 2 if w[1] != 2 else 3, 4, 4), draw(*w), torch.float64, torch.contiguous_format)


def test_each_picture_has_its_own_styles() -> None:
    for impl in ("auto", "plain"):
        with pytest.raises(NetworkError, match="one a picture"):
            to_picture(draw(3, 8, 4, 4), draw(2, 8, 1, 1), draw(1, 8), impl=impl)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kind", "allowed"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-5)])
@pytest.mark.parametrize("channels", [1, 4, 6])  # six: no kernel takes them
def test_every_way_makes_the_same_picture_of_activations(
    channels: int, kind: torch.dtype, allowed: float, layout: torch.memory_format
) -> None:
    x = draw(2, 24, 11, 8, kind=kind).contiguous(memory_format=layout)
    weight, styles = draw(channels, 24, 1, 1, seed=1, kind=torch.float32), draw(2, 24, seed=2, kind=torch.float32)
    right = torch.einsum("nmhw,fm,nm->nfhw", x.double(), weight[:, :, 0, 0].double(), styles.double())
    assert mixes(x, kind, channels, "auto") == (channels < 6)
    for impl in ("auto", "fused", "plain", "reference"):
        y = to_picture(x, weight, styles, impl=impl)  # type: ignore[arg-type]
        assert y.dtype == torch.float32
        assert y.is_contiguous()
        assert (y - right).abs().max() < allowed * right.abs().max()
