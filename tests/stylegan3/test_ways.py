# SPDX-License-Identifier: Apache-2.0
"""Whatever computes it, and however precisely inside, a network is the same."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.networks import (
    DiscriminatorSpec,
    Generator,
    GeneratorSpec,
    build_discriminator,
    build_generator,
    compute_with,
)
from stylegan3.ops.verdicts import exact

KINDS = ["stylegan3-t", "stylegan3-r", "stylegan2"]
ROUNDING = {torch.bfloat16: 0.03, torch.float16: 0.004}
"""Allowed rms error of pictures and logits: about ten roundings of 2^-9 and 2^-12, through all layers."""
KINKS = {torch.bfloat16: 0.2, torch.float16: 0.04}
"""The same of gradients: rounding also moves activations over the leaky relu's kink, one in 2^8 or 2^11."""


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each place where networks run, with all of float32's bits."""
    place: str = request.param
    if place == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    with exact():
        yield place


def generator(kind: str, device: str = "cpu") -> Generator:
    spec = GeneratorSpec(kind=kind, shape=(4, 16, 32), channel_base=512, channel_max=32, z_dim=16, w_dim=16)
    return build_generator(spec, torch.Generator().manual_seed(0)).to(device)


def pictures(network: Generator) -> Tensor:
    place = next(network.parameters()).device
    made: Tensor = network(torch.randn(3, 16, generator=torch.Generator().manual_seed(1)).to(place))
    return made


def gradient(network: torch.nn.Module, value: Tensor) -> Tensor:
    found = torch.autograd.grad(value.square().mean(), list(network.parameters()), allow_unused=True)
    return torch.cat([g.flatten() for g in found if g is not None])


def rms(found: Tensor, right: Tensor) -> float:
    return float((found.detach() - right.detach()).norm() / right.detach().norm())


@pytest.mark.parametrize("kind", KINDS)
def test_each_way_makes_the_same_pictures_and_gradients(kind: str, device: str) -> None:
    network = generator(kind, device)
    compute_with(network, "reference")
    right = pictures(network)
    expected = gradient(network, right)
    for impl in ("auto", "plain"):
        compute_with(network, impl)  # type: ignore[arg-type]
        made = pictures(network)
        assert rms(made, right) < 2e-6
        assert rms(gradient(network, made), expected) < 2e-5


@pytest.mark.parametrize("inner", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", KINDS)
def test_less_precision_inside_changes_pictures_and_gradients_by_its_rounding(
    kind: str, inner: torch.dtype, device: str
) -> None:
    network = generator(kind, device)
    right = pictures(network)
    expected = gradient(network, right)
    compute_with(network, inner=inner)
    made = pictures(network)
    errors = rms(made, right), rms(gradient(network, made), expected)
    print(f"{kind} {inner}: pictures {errors[0]:.1e}, gradients {errors[1]:.1e}, allowed {ROUNDING[inner]:.0e}")
    assert 1e-6 < errors[0] < ROUNDING[inner]
    assert errors[1] < KINKS[inner]


@pytest.mark.parametrize("inner", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_keep_float32s_detail_with_less_precision_inside(kind: str, inner: torch.dtype, device: str) -> None:
    network = generator(kind, device)
    compute_with(network, inner=inner)
    with torch.no_grad():
        made = pictures(network)
    assert made.dtype == torch.float32
    assert not torch.equal(made, made.to(inner).float())
    assert len(made.unique()) > 0.9 * made.numel()  # 16 bits would leave a few thousand values


@pytest.mark.gpu
@pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability() < (8, 0), reason="needs a card with TF32"
)
@pytest.mark.parametrize("kind", KINDS)
def test_tf32_changes_pictures_and_gradients_by_the_rounding_of_factors(kind: str) -> None:
    """It keeps as many bits of a product's factors as float16 does, and all of float32's detail in pictures."""
    network = generator(kind, "cuda")
    with exact():
        compute_with(network, "reference")
        right = pictures(network).detach()
        expected = gradient(network, pictures(network))
    with exact():  # takes back what is set in it
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        compute_with(network, "auto")
        made = pictures(network)
        errors = rms(made, right), rms(gradient(network, made), expected)
    print(f"{kind} tf32: pictures {errors[0]:.1e}, gradients {errors[1]:.1e}, allowed {ROUNDING[torch.float16]:.0e}")
    assert errors[0] < ROUNDING[torch.float16]
    assert errors[1] < KINKS[torch.float16]
    assert len(made.unique()) > 0.9 * made.numel()


@pytest.mark.parametrize("inner", [torch.bfloat16, torch.float16])
def test_the_discriminator_reads_float32_and_scores_in_float32(inner: torch.dtype, device: str) -> None:
    spec = DiscriminatorSpec(shape=(4, 32, 64), channel_base=1024, channel_max=48)
    network = build_discriminator(spec, torch.Generator().manual_seed(0)).to(device)
    x = torch.randn(4, 4, 32, 64, generator=torch.Generator().manual_seed(1)).to(device).requires_grad_()
    right = network(x)
    (expected,) = torch.autograd.grad(right.sum(), x)
    compute_with(network, inner=inner)
    found = network(x)
    assert found.dtype == torch.float32
    assert 0 < rms(found, right) < ROUNDING[inner]
    (g,) = torch.autograd.grad(found.sum(), x)
    print(f"{inner}: logits {rms(found, right):.1e}, gradient {rms(g, expected):.1e}")
    assert rms(g, expected) < KINKS[inner]


def test_activations_out_of_range_are_clamped_not_infinite() -> None:
    network = generator("stylegan2")
    compute_with(network, inner=torch.float16)
    with torch.no_grad():
        network.synthesis.const.mul_(1e4)  # type: ignore[union-attr,operator]
        assert pictures(network).isfinite().all()


def test_other_precisions_are_refused() -> None:
    with pytest.raises(NetworkError, match="float64"):
        compute_with(generator("stylegan2"), inner=torch.float64)
