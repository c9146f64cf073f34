# SPDX-License-Identifier: Apache-2.0
"""The discriminator: sizes, groups of the minibatch deviation, labels, R1's second gradient."""

import pytest
import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.networks import Discriminator, DiscriminatorSpec, build_discriminator, compute_with
from stylegan3.networks.discriminator import group_deviation
from stylegan3.networks.layers import FromPicture, fill_normal


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(shape: tuple[int, int, int] = (2, 16, 16), c_dim: int = 0) -> Discriminator:
    return build_discriminator(DiscriminatorSpec(shape, c_dim, channel_base=64, channel_max=4), rng())


@pytest.mark.parametrize("shape", [(1, 16, 16), (4, 16, 64), (3, 64, 32), (2, 48, 16)])
@torch.no_grad()
def test_any_shape_gets_one_logit_a_picture(shape: tuple[int, int, int]) -> None:
    assert small(shape)(torch.randn(8, *shape, generator=rng(1))).shape == (8, 1)


@pytest.mark.parametrize(("size", "millions"), [(128, 28.39), (256, 28.86), (512, 28.98), (1024, 29.01)])
def test_parameters_are_as_many_as_published(size: int, millions: float) -> None:
    with torch.device("meta"):
        network = Discriminator(DiscriminatorSpec((3, size, size)))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


def test_groups_are_strided() -> None:
    x = torch.randn(8, 3, 4, 4, generator=rng())
    y = group_deviation(x, 4)
    assert torch.equal(y[:, :3], x)
    for j in (0, 1):
        members = x[[j, j + 2, j + 4, j + 6]]
        expected = members.var(dim=0, correction=0).add(1e-8).sqrt().mean()
        assert torch.allclose(y[[j, j + 2, j + 4, j + 6], 3], expected.expand(4, 4, 4))


@torch.no_grad()
def test_whole_groups_can_be_scored_apart() -> None:
    network, x = small(), torch.randn(8, 2, 16, 16, generator=rng(1))
    groups = [[0, 2, 4, 6], [1, 3, 5, 7]]
    together = network(x)
    for members in groups:
        assert torch.allclose(network(x[members]), together[members], atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("count", [2, 8])
def test_sets_are_scored_as_if_alone(count: int) -> None:
    """Also where a set is smaller than a group, and one of all sets would have room."""
    network = small(c_dim=3)
    x = torch.randn(2, count, 2, 16, 16, generator=rng(1)) * torch.tensor([1.0, 5.0]).view(2, 1, 1, 1, 1)
    labels = torch.eye(3)[torch.arange(2 * count) % 3].view(2, count, 3)
    apart = torch.cat([network(x[k], labels[k]) for k in (0, 1)])
    both = network(x.flatten(0, 1), labels.flatten(0, 1), sets=2)
    assert torch.allclose(both, apart, rtol=1e-4, atol=1e-7)
    assert not torch.allclose(network(x.flatten(0, 1), labels.flatten(0, 1)), apart, rtol=1e-2)


def test_pictures_that_leave_a_group_open_are_refused() -> None:
    with pytest.raises(NetworkError, match="6 pictures"):
        small()(torch.zeros(6, 2, 16, 16))
    with pytest.raises(NetworkError, match="12 pictures don't fill groups of 4: give a multiple of 8"):
        small()(torch.zeros(12, 2, 16, 16), sets=2)
    with pytest.raises(NetworkError, match="7 pictures"):
        small()(torch.zeros(7, 2, 16, 16), sets=2)


def test_pictures_of_another_shape_are_refused() -> None:
    with pytest.raises(NetworkError, match=r"\[N, 2, 16, 16\]"):
        small()(torch.zeros(4, 3, 16, 16))


@torch.no_grad()
def test_labels_change_the_logit_and_are_asked_for() -> None:
    network, x = small(c_dim=3), torch.randn(4, 2, 16, 16, generator=rng(1))
    one, two = (network(x, torch.eye(3)[k].expand(4, -1)) for k in (0, 1))
    assert not torch.allclose(one, two)
    with pytest.raises(NetworkError, match="3 classes"):
        network(x)


def penalty(network: Discriminator, x: Tensor) -> Tensor:
    (g,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
    return g.square().sum()


def test_r1_has_the_right_gradient_in_every_weight() -> None:
    network = small().double()
    x = torch.randn(4, 2, 16, 16, generator=rng(1), dtype=torch.float64).requires_grad_()
    penalty(network, x).backward()
    unfeeling = {"out.bias"}  # a constant, which no gradient sees
    assert {n for n, p in network.named_parameters() if p.grad is None} <= unfeeling
    directions = {n: torch.randn(p.shape, generator=rng(2), dtype=p.dtype) for n, p in network.named_parameters()}
    expected = sum(float((p.grad * directions[n]).sum()) for n, p in network.named_parameters() if p.grad is not None)
    values = []
    step = 1e-8  # so small that no activation crosses a leaky relu's kink, where the gradient jumps
    for sign in (1, -2):
        with torch.no_grad():
            for n, p in network.named_parameters():
                p += sign * step * directions[n]
        values.append(float(penalty(network, x).detach()))
    assert expected == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)


@pytest.mark.parametrize("batch", [2, 5])  # planes, and channels innermost
@pytest.mark.parametrize(("inner", "allowed"), [(torch.float32, 1e-6), (torch.bfloat16, 4e-3)])
def test_a_pictures_first_layer_is_rounded_once_at_its_end(batch: int, inner: torch.dtype, allowed: float) -> None:
    layer = FromPicture(4, 24)
    layer.reset(rng())
    assert layer.bias is not None
    fill_normal(layer.bias, rng(1))
    x = (300 * torch.randn(batch, 4, 9, 8, generator=rng(2))).requires_grad_()
    found = []
    for impl in ("auto", "plain"):
        compute_with(layer, impl, inner)  # type: ignore[arg-type]
        y = layer(x)
        g = torch.randn(y.shape, generator=rng(3)).to(y.dtype)
        assert y.dtype == inner
        found.append((y, *torch.autograd.grad(y, (x, layer.weight, layer.bias), g)))
    for mine, plain in zip(*found, strict=True):  # a sample on the other side of a kink would be a hundredth
        assert float(((mine - plain).double().norm() / plain.double().norm()).detach()) < allowed
