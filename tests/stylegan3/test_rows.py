# SPDX-License-Identifier: Apache-2.0
"""What a network may know of its rows: features at StyleGAN3's input, gains and offsets of the picture's rows."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.networks import Generator, GeneratorSpec, build_generator
from stylegan3.networks.alias_free import AliasFreeSynthesis
from stylegan3.networks.plan import layer_numbers
from stylegan3.networks.rows import RATE, RowGains, RowProfiles, slow_waves
from stylegan3.training.ema import update_ema

KINDS = {
    "stylegan3-t": {"row_features": 3, "row_gains": 2},
    "stylegan3-r": {"row_features": 2},
    "stylegan2": {"row_gains": 3},
}
CASES = [(kind, rows) for kind, settings in KINDS.items() for rows in ({}, settings)]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(kind: str, shape: tuple[int, int, int] = (2, 16, 32), **settings: Any) -> Generator:
    layers = {} if kind == "stylegan2" else {"num_layers": 4, "num_critical": 1}
    small: dict[str, Any] = {"z_dim": 8, "w_dim": 8, "mapping_layers": 2, "channel_base": 64, "channel_max": 4}
    return build_generator(GeneratorSpec(kind, shape, **{**small, **layers, **settings}), rng())


def parts(made: Generator) -> dict[str, RowProfiles]:
    return {name: module for name, module in made.named_modules() if isinstance(module, RowProfiles)}


def learned(made: Generator) -> Generator:
    """Give profiles and what w does to them values as if they had been learned."""
    for number, part in enumerate(parts(made).values()):
        torch.nn.init.normal_(part.profiles, std=1 / RATE, generator=rng(10 + number))
        torch.nn.init.normal_(part.affine.weight, generator=rng(20 + number))
    return made


def latents(n: int) -> Tensor:
    return torch.randn(n, 8, generator=rng(1))


@pytest.mark.parametrize(("kind", "settings"), KINDS.items())
@torch.no_grad()
def test_an_untrained_network_is_the_same_with_and_without(kind: str, settings: dict[str, int]) -> None:
    with_rows, without = network(kind, **settings), network(kind)
    state = with_rows.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in without.state_dict().items())
    assert torch.equal(with_rows(latents(2)), without(latents(2)))
    assert (learned(with_rows)(latents(2)) - without(latents(2))).abs().max() > 0.01


@pytest.mark.parametrize(("kind", "settings"), KINDS.items())
def test_profiles_learn_from_the_first_step_and_all_else_from_the_second(kind: str, settings: dict[str, int]) -> None:
    made = network(kind, **settings)
    first, second = (list[str](), list[str]())
    for reached in (first, second):
        made.zero_grad()
        made(latents(3)).square().sum().backward()
        for name, part in parts(made).items():
            reached += [
                f"{name}.{n}" for n, p in part.named_parameters() if p.grad is not None and p.grad.abs().max() > 0
            ]
        with torch.no_grad():
            for part in parts(made).values():
                part.profiles -= 0.01 * part.profiles.grad / part.profiles.grad.abs().max()  # type: ignore[operator,union-attr]
    assert first == [f"{name}.profiles" for name in parts(made)]
    assert sorted(second) == sorted(
        f"{name}.{n}" for name, part in parts(made).items() for n, _ in part.named_parameters()
    )


@pytest.mark.parametrize("kind", ["stylegan2", "stylegan3-t"])
@torch.no_grad()
def test_gains_reach_one_row_of_one_channel_alone(kind: str) -> None:
    made = network(kind, row_gains=4)
    gains = made.synthesis.gains
    assert isinstance(gains, RowGains)
    before = made(latents(1))
    gains.weight.copy_(torch.eye(4))  # profile 1: the gain of channel 1; profile 2: the offset of channel 0
    gains.profiles[1, 5], gains.profiles[2, 3] = 2.0 / RATE, 4.0 / RATE
    expected = before.clone()
    expected[:, 1, 5] *= 1 + 2.0 / 4**0.5
    expected[:, 0, 3] += 4.0 / 4**0.5 * (1 if kind == "stylegan2" else 0.25)  # the output's scale
    assert torch.allclose(made(latents(1)), expected, atol=1e-6)


@torch.no_grad()
def test_w_weighs_the_profiles() -> None:
    part = RowProfiles(2, 3, 4, 6)
    part.reset(rng())
    torch.nn.init.normal_(part.profiles, generator=rng(1))
    part.affine.weight.copy_(torch.tensor([[2.0, 0, 0, 0], [0, 0, 0, 0]]))  # divided by sqrt 4 when used
    w = torch.tensor([[0.0, 0, 0, 0], [3.0, 0, 0, 0], [-1.0, 0, 0, 0]])
    first, second = (part.weight[:, k, None] * part.profiles[k] * RATE / 2**0.5 for k in (0, 1))
    expected = torch.stack([first + second, 4 * first + second, second])
    assert torch.allclose(part(w), expected[..., None], atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 16, 32), (2, 64, 16), (2, 32, 32)])
@torch.no_grad()
def test_features_at_the_input_keep_its_band_limit_and_fill_its_rows(shape: tuple[int, int, int]) -> None:
    made = network("stylegan3-t", shape, row_features=3)
    assert isinstance(made.synthesis, AliasFreeSynthesis)
    first = layer_numbers(made.spec)[0]
    rows = learned(made).synthesis.rows(made.mapping(latents(2))[:, 0])[..., 0]  # type: ignore[union-attr,operator]
    assert rows.shape == (2, first.channels_in, first.size_in[0])
    cycles = torch.arange(rows.shape[2] // 2 + 1) * first.rate_in / rows.shape[2]
    spectrum = torch.fft.rfft(rows).abs()
    assert spectrum[..., cycles > first.cutoff_in].max() < 1e-4 * spectrum.max()
    assert (spectrum[..., cycles <= first.cutoff_in].amax((0, 1)) > 0.01 * spectrum.max()).all()


def test_waves_are_orthogonal_and_of_mean_square_one_together() -> None:
    waves = slow_waves(36, 16.0, 2.0)
    assert waves.shape == (2 * 4 + 1, 36)
    products = waves @ waves.T / 36
    assert torch.allclose(products, torch.diag(products.diagonal()), atol=1e-6)
    assert torch.allclose(waves.square().sum(0), torch.ones(36), atol=1e-6)


@torch.no_grad()
def test_w_does_not_move_the_features_of_the_rows() -> None:
    made = network("stylegan3-t", row_features=2)
    with_rows = learned(made).synthesis
    assert isinstance(with_rows, AliasFreeSynthesis)
    w = torch.zeros(1, 8)
    still = with_rows.rows(w)  # type: ignore[misc]
    with_rows.input.affine.bias.copy_(torch.tensor([0.6, 0.8, 0.3, 0.3]))
    assert torch.equal(with_rows.rows(w), still)  # type: ignore[misc]
    assert still.std(dim=2).min() > 0


@pytest.mark.parametrize(("kind", "settings"), KINDS.items())
@torch.no_grad()
def test_the_running_mean_and_a_state_hold_them(kind: str, settings: dict[str, int]) -> None:
    mean, made = network(kind, **settings), learned(network(kind, **settings))
    update_ema(mean, made, 0.25)
    for name, part in parts(mean).items():
        assert torch.allclose(part.profiles, 0.75 * parts(made)[name].profiles)
    mean.load_state_dict(made.state_dict())
    assert torch.equal(mean(latents(2)), made(latents(2)))
    assert not [name for name in made.state_dict() if name.endswith("waves")]


@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_a_spec_keeps_them_and_an_older_one_has_none(kind: str, settings: dict[str, int]) -> None:
    spec = network(kind, **settings).spec
    assert GeneratorSpec.from_dict(spec.to_dict()) == spec
    older = {key: value for key, value in spec.to_dict().items() if not key.startswith("row_")}
    assert GeneratorSpec.from_dict(older) == network(kind).spec


def test_rows_that_cannot_be_are_refused() -> None:
    with pytest.raises(NetworkError, match="row_gains -1"):
        network("stylegan2", row_gains=-1)
    with pytest.raises(NetworkError, match="row_features 4: stylegan2's constant has rows of its own; row_gains"):
        network("stylegan2", row_features=4)


@torch.no_grad()
def test_a_picture_with_rows_does_not_depend_on_its_batch() -> None:
    made = learned(network("stylegan3-t", row_features=3, row_gains=2))
    together, alone = made(latents(4)), torch.cat([made(z) for z in latents(4).split(1)])
    assert (together - alone).abs().max() < 1e-5 * together.abs().max()
