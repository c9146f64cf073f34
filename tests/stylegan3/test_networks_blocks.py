# SPDX-License-Identifier: Apache-2.0
"""StyleGAN3-T in blocks of channels on a CPU: the same network as in planes."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stylegan3.networks import Generator, GeneratorSpec, Moments, alias_free, build_generator, compute_with
from stylegan3.networks.plan import layer_numbers
from stylegan3.ops.blocks import Blocks, count
from stylegan3.ops.engines import choice
from stylegan3.ops.native import lrelu_inner

CPU = torch.device("cpu")
pytestmark = pytest.mark.skipif(choice(CPU).kernels is None, reason=f"no kernels: {choice(CPU).reason}")

FEW = {"num_layers": 5, "num_critical": 1, "z_dim": 8, "w_dim": 8, "mapping_layers": 1}
WIDTHS = [{"channel_base": 512, "channel_max": 37}, {"channel_base": 256, "channel_max": 32}]
"""Channels of the layers: 37 and 32, and from 32 to 16."""
ROUNDING, KINKS = 0.03, 0.2  # rms in bfloat16 of pictures and gradients; see test_ways.py


def generator(**settings: Any) -> Generator:
    spec = GeneratorSpec("stylegan3-t", (3, 16, 32), **{**FEW, **settings})
    made = build_generator(spec, torch.Generator().manual_seed(0))
    with torch.no_grad():  # or no bias is seen
        for layer in made.synthesis.layers:  # type: ignore[union-attr]
            layer.bias.normal_(generator=torch.Generator().manual_seed(1))
            layer.magnitude.fill_(0.7)
    return made


def ws_of(network: Generator, n: int = 2) -> Tensor:
    z = torch.randn(n, 8, generator=torch.Generator().manual_seed(2))
    return network.mapping(z).detach().contiguous().requires_grad_()


def rms(found: Tensor, right: Tensor) -> float:
    return float((found.detach() - right.detach()).norm() / right.detach().norm())


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Tell which channels went into convolutions of blocks, and how many activations had channels innermost."""
    seen: dict[str, list[Any]] = {"convolved": [], "activated": []}
    convolve, run = alias_free.modulated_blocks, lrelu_inner.run

    def convolved(x: Blocks, *given: Any) -> Blocks:
        seen["convolved"].append(x.channels)
        return convolve(x, *given)

    def activated(x: Tensor, *given: Any) -> Tensor:
        seen["activated"].append(x.shape[0])
        return run(x, *given)

    monkeypatch.setattr(alias_free, "modulated_blocks", convolved)
    monkeypatch.setattr(lrelu_inner, "run", activated)
    return seen


@pytest.mark.parametrize("widths", WIDTHS)
@torch.no_grad()
def test_all_layers_but_the_last_go_through_blocks(widths: dict[str, int], seen: dict[str, list[Any]]) -> None:
    network = generator(**widths)
    numbers = layer_numbers(network.spec)[:-1]
    ws = ws_of(network)
    network.synthesis(ws)
    assert seen["convolved"] == [n.channels_in for n in numbers]
    assert seen["activated"] == [2 * count(n.channels_out) for n in numbers]
    compute_with(network, "plain")
    network.synthesis(ws)
    assert len(seen["convolved"]) == len(numbers)


@torch.no_grad()
def test_narrow_layers_stay_in_planes(seen: dict[str, list[Any]]) -> None:
    """Blocks end where a layer has fewer than 16 channels, and begin again."""
    network = generator(channel_base=192, channel_max=24)
    numbers = layer_numbers(network.spec)[:-1]
    wide = [n.channels_in for n in numbers if min(n.channels_in, n.channels_out) >= 16]
    assert 0 < len(wide) < len(numbers)
    ws = ws_of(network)
    pictures = network.synthesis(ws)
    assert seen["convolved"] == wide
    compute_with(network, "plain")
    assert rms(pictures, network.synthesis(ws)) < 2e-6


def found(network: Generator) -> dict[str, Tensor]:
    """Return pictures, their gradients, and the gradients of a sum like a path length's."""
    weights, ws = list(network.synthesis.parameters()), ws_of(network)
    pictures = network.synthesis(ws)
    y = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(3))
    gradients = torch.autograd.grad(pictures.square().mean(), (ws, *weights), retain_graph=True)
    (slope,) = torch.autograd.grad((pictures * y).sum(), ws, create_graph=True)
    second = torch.autograd.grad(slope.square().sum(), (ws, *weights), allow_unused=True, materialize_grads=True)
    names = ["ws", *(name for name, _ in network.synthesis.named_parameters())]
    return {
        "pictures": pictures,
        "slope": slope,
        **dict(zip((f"gradient for {name}" for name in names), gradients, strict=True)),
        **dict(zip((f"second gradient for {name}" for name in names), second, strict=True)),
    }


@pytest.mark.parametrize("widths", WIDTHS)
def test_pictures_and_gradients_to_second_order_are_those_of_plain_pytorch(
    widths: dict[str, int], seen: dict[str, list[Any]]
) -> None:
    network = generator(**widths)
    ours = found(network)
    assert seen["convolved"]
    compute_with(network, "plain")
    theirs = found(network)
    assert any(t.any() for name, t in theirs.items() if name.startswith("second"))
    for name, right in theirs.items():
        allowed = 2e-6 if name == "pictures" else 2e-4 if name.startswith("second") else 2e-5
        assert (ours[name] - right).norm() <= allowed * right.norm(), name


@pytest.mark.parametrize(("inner", "allowed"), [(torch.float32, 2e-6), (torch.bfloat16, 0.02)])
@torch.no_grad()
def test_magnitudes_are_those_of_plain_pytorch(inner: torch.dtype, allowed: float, seen: dict[str, list[Any]]) -> None:
    """Those in bfloat16 too, but for its roundings: about 2^-8 of a square a layer."""
    network, gathered = generator(**WIDTHS[0]), []
    for impl, kind in (("auto", inner), ("plain", torch.float32)):
        compute_with(network, impl, kind)  # type: ignore[arg-type]
        moments = Moments()
        network.synthesis(ws_of(network, 3), moments=moments)
        gathered.append(moments)
    assert len(seen["convolved"]) == 5
    assert gathered[0].counts == gathered[1].counts
    for name, right in gathered[1].sums.items():
        assert float(gathered[0].sums[name]) == pytest.approx(float(right), rel=allowed), name


@pytest.mark.parametrize("widths", WIDTHS)
def test_bfloat16_changes_pictures_and_gradients_by_its_rounding(
    widths: dict[str, int], seen: dict[str, list[Any]]
) -> None:
    network = generator(**widths)
    weights, ws = list(network.synthesis.parameters()), ws_of(network)
    results = []
    for impl, inner in (("auto", torch.bfloat16), ("plain", torch.float32)):
        compute_with(network, impl, inner)  # type: ignore[arg-type]
        pictures = network.synthesis(ws)
        gradients = torch.autograd.grad(pictures.square().mean(), weights)
        results.append((pictures, torch.cat([g.flatten() for g in gradients])))
    assert len(seen["convolved"]) == 5
    assert results[0][0].dtype == torch.float32
    errors = [rms(ours, right) for ours, right in zip(*results, strict=True)]
    print(f"pictures {errors[0]:.1e}, allowed {ROUNDING}; gradients {errors[1]:.1e}, allowed {KINKS}")
    assert 1e-6 < errors[0] < ROUNDING
    assert errors[1] < KINKS


@torch.no_grad()
def test_a_picture_does_not_depend_on_its_batch(seen: dict[str, list[Any]]) -> None:
    network = generator(**WIDTHS[0])
    ws = ws_of(network, 5)
    together, alone = network.synthesis(ws), torch.cat([network.synthesis(w) for w in ws.split(1)])
    assert len(seen["convolved"]) == 5 * 6
    assert (together - alone).abs().max() < 1e-5 * together.abs().max()


@torch.no_grad()
def test_a_picture_that_is_no_number_leaves_the_others_what_they_are(seen: dict[str, list[Any]]) -> None:
    network = generator(**WIDTHS[0])
    ws = ws_of(network, 3)
    right = network.synthesis(ws)
    ws[1, 2] = float("nan")
    pictures = network.synthesis(ws)
    assert pictures[1].isnan().all()
    assert torch.equal(pictures[::2], right[::2])
    assert seen["convolved"]
