# SPDX-License-Identifier: Apache-2.0
"""Generators: sizes, truncation, noise, averages, gradients."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.networks import Generator, GeneratorSpec, Moments, build_generator
from stylegan3.networks.alias_free import AliasFreeSynthesis
from stylegan3.networks.moments import mean_square
from stylegan3.networks.plan import layer_numbers
from stylegan3.ops.modulation import scaled

SMALL: dict[str, Any] = {"z_dim": 8, "w_dim": 8, "mapping_layers": 2, "channel_base": 64, "channel_max": 4}
KINDS = ["stylegan3-t", "stylegan3-r", "stylegan2"]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(kind: str, shape: tuple[int, int, int] = (2, 16, 16), **settings: Any) -> Generator:
    return build_generator(GeneratorSpec(kind, shape, **{**SMALL, **settings}), rng())


def latents(n: int, width: int = 8, seed: int = 1) -> Tensor:
    return torch.randn(n, width, generator=rng(seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 16, 16), (4, 16, 64), (3, 64, 32), (2, 16, 48)])
@torch.no_grad()
def test_any_shape_comes_out_finite_and_not_constant(kind: str, shape: tuple[int, int, int]) -> None:
    y = small(kind, shape)(latents(2))
    assert y.shape == (2, *shape)
    assert y.dtype == torch.float32
    assert 1e-5 < float(y.std()) < 10


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_equal_seeds_give_equal_networks_and_the_spec_survives_json(kind: str) -> None:
    spec = GeneratorSpec(kind, (2, 16, 32), **SMALL)
    assert GeneratorSpec.from_dict(spec.to_dict()) == spec
    first, second, other = build_generator(spec, rng(3)), build_generator(spec, rng(3)), build_generator(spec, rng(4))
    z = latents(1)
    assert torch.equal(first(z), second(z))
    assert not torch.equal(first(z), other(z))
    assert torch.equal(copy.deepcopy(first)(z), first(z))


@torch.no_grad()
def test_an_embedding_of_its_own_width_stands_beside_z_and_is_w_wide_otherwise() -> None:
    digits = small("stylegan2", z_dim=64, c_dim=10, embed_dim=10).mapping
    assert digits.layers[0].weight.shape == (8, 64 + 10)  # as in the report on spoken digits
    assert small("stylegan2", c_dim=3).mapping.layers[0].weight.shape == (8, 8 + 8)
    assert digits(latents(1, 64), torch.eye(10)[:2].mean(dim=0, keepdim=True)).isfinite().all()
    with pytest.raises(NetworkError, match="embed_dim"):
        small("stylegan2", embed_dim=-1)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_picture_does_not_depend_on_its_batch(kind: str) -> None:
    network, z = small(kind), latents(5)
    together, alone = network(z), torch.cat([network(row) for row in z.split(1)])
    assert (together - alone).abs().max() < 1e-5 * together.abs().max()


@pytest.mark.parametrize(
    ("kind", "base", "limit", "size", "millions"),
    [
        *[("stylegan3-t", 32768, 512, n, m) for n, m in ((128, 32.83), (256, 28.47), (512, 24.87), (1024, 22.31))],
        *[("stylegan3-r", 65536, 1024, n, m) for n, m in ((128, 21.37), (256, 18.82), (512, 16.67), (1024, 15.09))],
        *[("stylegan2", 32768, 512, n, m) for n, m in ((128, 29.33), (256, 30.03), (512, 30.28), (1024, 30.37))],
    ],
)
def test_parameters_are_as_many_as_published(kind: str, base: int, limit: int, size: int, millions: float) -> None:
    with torch.device("meta"):
        network = Generator(GeneratorSpec(kind, (3, size, size), channel_base=base, channel_max=limit))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


def test_layers_of_t_at_512_have_the_papers_canvases_and_widths() -> None:
    layers = layer_numbers(GeneratorSpec("stylegan3-t", (4, 512, 512)))
    assert [n.after.size[0] for n in layers] == [36] * 2 + [52] * 2 + [84] * 2 + [148] * 2 + [276] * 2 + [532] * 3 + [
        512
    ] * 2
    assert [n.channels_out for n in layers] == [512] * 7 + [483, 323, 215, 144, 96, 64, 64, 4]


def test_the_longer_side_of_a_canvas_has_the_same_rates_and_margin() -> None:
    square, wide = (layer_numbers(GeneratorSpec("stylegan3-t", (4, 64, t))) for t in (64, 256))
    for a, b in zip(square, wide, strict=True):
        assert (a.after.rate, a.after.cutoff, a.up_filter()) == (b.after.rate, b.after.cutoff, b.up_filter())
        assert a.after.size[0] == b.after.size[0]
    assert wide[0].after.size == (36, 16 * 4 + 20)
    assert wide[-1].after.size == (64, 256)


@torch.no_grad()
def test_a_shift_of_the_input_shifts_the_picture() -> None:
    network = small("stylegan3-t", (2, 16, 64), channel_base=128, channel_max=16)
    synthesis, ws = network.synthesis, network.mapping(latents(1))
    assert isinstance(synthesis, AliasFreeSynthesis)
    still = synthesis(ws)
    synthesis.input.transform[0, 2] = 4 / 16  # canvas widths of N = 16 samples
    moved = synthesis(ws)
    inside = slice(16, 48)
    shifted = still[..., :, 20:52]
    assert (moved[..., inside] - shifted).abs().max() < 0.05 * still.abs().max()
    assert (moved[..., inside] - still[..., inside]).abs().max() > 0.2 * still.abs().max()


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_truncation_goes_from_the_average_to_w_in_the_first_layers_only(kind: str) -> None:
    network, z = small(kind), latents(3)
    network.mapping.w_avg.copy_(torch.linspace(-1, 1, 8))
    w, average = network.mapping(z), network.mapping.w_avg
    assert w.shape == (3, network.num_ws, 8)
    assert torch.equal(network.mapping(z, psi=0.0), average.expand_as(w))
    half = network.mapping(z, psi=0.5, cutoff=2)
    assert torch.allclose(half[:, :2], (w[:, :2] + average) / 2)
    assert torch.equal(half[:, 2:], w[:, 2:])


@torch.no_grad()
def test_labels_change_the_picture_and_are_asked_for() -> None:
    network, z = small("stylegan2", c_dim=3), latents(1)
    one, two = (network(z, torch.eye(3)[k : k + 1]) for k in (0, 1))
    assert (one - two).abs().max() > 0.01 * one.abs().max()
    with pytest.raises(NetworkError, match="3 classes"):
        network(z)
    with pytest.raises(NetworkError, match=r"\[N, 8\] is needed"):
        network(latents(1, 9), torch.eye(3)[:1])


@torch.no_grad()
def test_noise_is_constant_none_or_given() -> None:
    network, z = small("stylegan2"), latents(2)
    assert network.noise_size == 16 + 2 * 64 + 2 * 256
    for conv in network.synthesis.convs:  # type: ignore[union-attr,operator]
        conv.strength.fill_(0.5)
    constants = torch.cat([c.noise.flatten() for c in network.synthesis.convs])  # type: ignore[union-attr,operator]
    same = network(z, noise=constants.expand(2, -1))
    assert torch.allclose(network(z), same, atol=1e-6)
    assert torch.allclose(network(z, noise="none"), network(z, noise=torch.zeros(2, network.noise_size)), atol=1e-6)
    assert not torch.allclose(network(z, noise="none"), same, atol=1e-3)
    with pytest.raises(NetworkError, match="noise 'random'"):
        network(z, noise="random")
    with pytest.raises(NetworkError, match="656"):
        network(z, noise=torch.zeros(2, 3))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_averages_move_once_and_do_not_see_how_a_batch_was_cut(kind: str) -> None:
    z = latents(8)
    results = []
    for cut in (8, 4, 2):
        network, moments = small(kind), Moments()
        for part in z.split(cut):
            network(part, moments=moments)
        before = {k: v.clone() for k, v in network.named_buffers()}
        network.update_averages(moments)
        results.append(dict(network.named_buffers()))
        changed = {k for k, v in results[-1].items() if not torch.equal(v, before[k])}
        expected = {"mapping.w_avg"} | {k for k in before if k.endswith("magnitude")}
        assert changed == expected
    for other in results[1:]:
        assert all(torch.allclose(v, other[k], rtol=1e-5, atol=1e-7) for k, v in results[0].items())


@torch.no_grad()
def test_averages_follow_their_formulas() -> None:
    network, moments = small("stylegan3-t"), Moments()
    z = latents(4)
    network(z, moments=moments)
    network.update_averages(moments)
    w, x = network.mapping(z)[:, 0], network.synthesis.input(network.mapping(z)[:, 0])  # type: ignore[union-attr,operator]
    assert torch.allclose(network.mapping.w_avg, 0.002 * w.mean(dim=0), atol=1e-7)
    beta = 0.5 ** (4 / 20000)
    found = network.synthesis.layers[0].magnitude  # type: ignore[union-attr,index]
    assert float(found) == pytest.approx(beta + (1 - beta) * float(x.square().mean()), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_receives_a_finite_gradient(kind: str) -> None:
    network = small(kind, c_dim=2)
    network(latents(2), torch.eye(2)).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_path_length_has_the_right_gradient(kind: str) -> None:
    network = small(kind, channel_max=2).double()
    ws = network.mapping(latents(1).double()).detach()
    image = network.synthesis(ws)
    y = torch.randn(image.shape, generator=rng(5), dtype=torch.float64)

    def path_length(v: Tensor) -> Tensor:
        (g,) = torch.autograd.grad((network.synthesis(v) * y).sum(), v, create_graph=True)
        return g.square().sum()

    ws = ws.contiguous().requires_grad_()
    direction = torch.randn(ws.shape, generator=rng(6), dtype=torch.float64)
    (g,) = torch.autograd.grad(path_length(ws), ws)
    step = 1e-9  # so small that no activation crosses a leaky relu's kink, where the gradient jumps
    ahead, behind = (path_length((ws + s * direction).detach().requires_grad_()).detach() for s in (step, -step))
    slope = float((ahead - behind) / (2 * step))
    assert float((g * direction).sum()) == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": (4, 24, 24)}, "power of two"),
        ({"shape": (4, 8, 16)}, "from 16 up"),
        ({"shape": (4, 32, 48)}, "a multiple of it"),
        ({"kind": "stylegan4"}, "allowed are stylegan3-t, stylegan3-r, stylegan2"),
        ({"channel_base": 8}, "channel_base 8: at least 16"),
        ({"w_dim": 0}, "w_dim 0"),
    ],
)
def test_a_spec_that_cannot_be_built_is_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        GeneratorSpec(**{"kind": "stylegan2", "shape": (4, 16, 16), **settings})


def test_unknown_settings_of_a_spec_are_named() -> None:
    with pytest.raises(NetworkError, match="depth"):
        GeneratorSpec.from_dict({"kind": "stylegan2", "shape": [1, 16, 16], "depth": 3})


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_mean_square_is_held_in_any_precision(kind: torch.dtype) -> None:
    x = (100 * torch.randn(2, 3, 200, 300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).to(kind)
    x[1] *= 3  # a plane's norm beyond float16
    right = x.double().square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(mean_square(x).double(), right, rtol=4e-3 if kind == torch.bfloat16 else 1e-5, atol=0)


def test_styles_gradients_hold_sums_that_float16_couldnt() -> None:
    x, styles = torch.ones(1, 1, 256, 256, dtype=torch.float16), torch.ones(1, 1, requires_grad=True)
    (found,) = torch.autograd.grad(scaled(x, styles), styles, torch.full_like(x, 2.0))
    assert found.item() == 2 * 256 * 256
