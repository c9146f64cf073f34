# SPDX-License-Identifier: Apache-2.0
"""Whole networks with the kernels that a card has: the same pictures, scores and gradients as plain PyTorch's."""

from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton")

from stylegan3.networks import (
    Discriminator,
    DiscriminatorSpec,
    Generator,
    GeneratorSpec,
    alias_free,
    build_discriminator,
    build_generator,
    compute_with,
)
from stylegan3.ops import engines, halving, makers, mixing, modulation, selftest, winograd
from stylegan3.ops.convolution import conv2d
from stylegan3.ops.engines import Choice
from stylegan3.ops.filtered_lrelu import filtered_lrelu
from stylegan3.ops.layout import channels_last

SHAPE = (2, 16, 16)
KINDS = [torch.float32, torch.float16, torch.bfloat16]


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    """Triton's kernels where the device is asked for its own; what is the CPU's alone must not be called."""
    if device == "cuda":
        return
    monkeypatch.setattr(engines, "choice", lambda device: Choice(makers.triton(), "interpreted"))
    for module, name in ((winograd, "call"), (halving, "call"), (mixing, "_run")):
        monkeypatch.setattr(module, name, lambda *given: pytest.fail("C++ was called"))
    for name in ("by_winograd", "by_halving", "by_doubling"):
        monkeypatch.setattr(f"stylegan3.ops.convolution.{name}", lambda *given: False)
    monkeypatch.setattr("stylegan3.ops.modulation.by_winograd", lambda *given: False)
    monkeypatch.setattr("stylegan3.ops.ends.mixes", lambda *given: False)
    monkeypatch.setattr("stylegan3.networks.layers.mixes", lambda *given: False)


@pytest.mark.usefixtures("fused")
@pytest.mark.parametrize("kind", KINDS)
def test_they_pass_the_self_test(kind: torch.dtype, device: str) -> None:
    kernels = makers.triton()
    for layout in selftest.LAYOUTS:
        x = torch.zeros(2, 3, 4, 5, device=device, dtype=kind).contiguous(memory_format=layout)
        assert kernels.scaler(x)
        assert kernels.styler(x)
    for check in (selftest.styled_failure, selftest.scaled_failure):
        assert check(kernels, kind, torch.device(device)) is None


def networks(kind: str, device: str) -> tuple[Generator, Discriminator]:
    rng = torch.Generator().manual_seed(0)
    few = {"num_layers": 2, "num_critical": 1, "margin": 1}
    spec = GeneratorSpec(kind, SHAPE, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, channel_max=4, **few)
    g = build_generator(spec, rng)
    d = build_discriminator(DiscriminatorSpec(SHAPE, channel_base=64, channel_max=4), rng)
    return g.to(device), d.to(device)


def found(g: Generator, d: Discriminator, device: str) -> list[Tensor]:
    """Return pictures, scores, R1's gradient, and the gradients of a loss with it for all weights."""
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(1)).to(device)
    pictures = g(z)
    scores = d(pictures)
    (slope,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    weights = [*g.parameters(), *d.parameters()]
    loss = scores.square().sum() + 10 * slope.square().sum()
    return [pictures, scores, slope, *torch.autograd.grad(loss, weights, materialize_grads=True)]


@pytest.mark.usefixtures("fused")
@pytest.mark.parametrize(("kind", "innermost"), [("stylegan2", True), ("stylegan2", False), ("stylegan3-t", True)])
def test_training_networks_computes_the_same(
    kind: str, innermost: bool, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With channels where a card may have them; StyleGAN3's pictures are turned for its convolutions then."""
    lay, back = [], []

    def convolve(x: Tensor, *given: Any, **named: Any) -> Tensor:
        lay.append(channels_last(x))
        return conv2d(x, *given, **named)

    def end(x: Tensor, *given: Any, **named: Any) -> Tensor:
        back.append(x.is_contiguous())
        return filtered_lrelu(x, *given, **named)

    monkeypatch.setattr("stylegan3.networks.layers.channels_innermost", lambda *given: innermost)
    monkeypatch.setattr(modulation, "turns", lambda x, weight, impl: innermost and impl == "auto")
    monkeypatch.setattr(modulation, "conv2d", convolve)
    monkeypatch.setattr(alias_free, "filtered_lrelu", end)
    both = networks(kind, device)
    results = []
    for impl in ("auto", "plain"):
        for network in both:
            compute_with(network, impl)
        results.append(found(*both, device))
        if impl == "auto" and kind == "stylegan3-t":
            assert set(lay) == {innermost}
            assert all(back)
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).norm() <= 2e-4 * theirs.norm() + 1e-6
