# SPDX-License-Identifier: Apache-2.0
"""A transfer keeps the source's pictures in the first channels, makes the others alike, and names all it left."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from patches.errors import UserError
from patches.runs.begin import read_reference
from patches.transfer import Network, Transfer, adapt, channel_axes, transfer
from stylegan3.legacy import ReferenceNetwork
from stylegan3.networks import (
    Discriminator,
    DiscriminatorSpec,
    Generator,
    GeneratorSpec,
    build_discriminator,
    build_generator,
)

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
KINDS = ("stylegan2", "stylegan3-t")
EQUALITY = 1e-4  # of the largest output value: what the networks promise against the reference
SAME = 1e-5  # of the largest value: float32, two orders of summation


def generator(kind: str, shape: tuple[int, int, int], seed: int, **more: int) -> Generator:
    spec = GeneratorSpec(kind=kind, shape=shape, z_dim=16, w_dim=16, mapping_layers=2, channel_base=128, channel_max=8)
    network = build_generator(replace(spec, **more), torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
    return _lively(network, seed)


def discriminator(shape: tuple[int, int, int], seed: int, c_dim: int = 0, channel_max: int = 8) -> Discriminator:
    spec = DiscriminatorSpec(shape=shape, channel_base=512, channel_max=channel_max, c_dim=c_dim)
    return _lively(build_discriminator(spec, torch.Generator().manual_seed(seed)), seed)


def _lively(network: Network, seed: int) -> Network:  # type: ignore[type-var]
    """Biases and averages start at 0 and would hide what isn't carried over."""
    rng = torch.Generator().manual_seed(seed + 1000)
    for name, tensor in network.state_dict().items():
        if name.endswith(("bias", "w_avg")):
            tensor.add_(0.1 * torch.randn(tensor.shape, generator=rng))
    return network.eval()


def loaded(target: Network, came: Transfer) -> Network:
    target.load_state_dict(came.state)
    return target


def close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= SAME * b.abs().max())


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_channels_of_g_show_the_sources_own_pictures(kind: str) -> None:
    source, target = generator(kind, (3, 16, 16), 1), generator(kind, (4, 16, 16), 2)
    came = transfer(source, target)
    assert not came.fresh
    assert not came.unused
    z = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        old, new = source(z), loaded(target, came)(z)
    assert close(new[:, :3], old)
    level, further = old.square().mean().sqrt(), new[:, 3].square().mean().sqrt()
    assert 0.3 < further / level < 3


@pytest.mark.parametrize("kind", KINDS)
def test_only_output_layers_are_adapted_in_g(kind: str) -> None:
    source, target = generator(kind, (3, 16, 16), 1), generator(kind, (4, 16, 16), 2)
    came = transfer(source, target)
    assert set(came.adapted) == set(channel_axes(target))
    outputs = len([name for name in came.adapted if name.endswith(".weight")])
    assert outputs == (3 if kind == "stylegan2" else 1)  # 4, 8 and 16 rows; StyleGAN3 has one
    assert all("3 channels kept, 1 more = their mean x" in how for how in came.adapted.values())


def test_d_keeps_the_size_of_its_first_layers_output() -> None:
    source, target = discriminator((3, 32, 32), 1, channel_max=64), discriminator((4, 32, 32), 2, channel_max=64)
    came = transfer(source, target)
    assert list(came.adapted) == ["entry.weight"]
    assert not came.fresh
    assert torch.equal(came.state["entry.weight"][:, :3], source.state_dict()["entry.weight"])
    pictures = torch.randn(8, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        old, new = source.entry(pictures[:, :3]), loaded(target, came).entry(pictures)
    assert new.std() / old.std() == pytest.approx(1, abs=0.1)


def test_a_further_channel_is_the_mean_in_the_size_of_the_others() -> None:
    rng = torch.Generator().manual_seed(0)
    weights = torch.randn(3, 64, 1, 1, generator=rng) + 0.3 * torch.randn(1, 64, 1, 1, generator=rng)
    made, how = adapt(weights, 4, 0)
    assert torch.equal(made[:3], weights)
    assert torch.nn.functional.cosine_similarity(made[3].flatten(), weights.mean(0).flatten(), dim=0) > 0.9999
    assert made[3].norm() == pytest.approx(float(weights.square().sum().div(3).sqrt()), rel=1e-5)
    assert how.startswith("3 channels kept, 1 more")


def test_channels_that_are_alike_are_copied_and_such_that_cancel_are_not_blown_up() -> None:
    one = torch.randn(1, 8, 1, 1, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(adapt(one.expand(3, -1, -1, -1), 4, 0)[0][3], one[0])
    cancelling = torch.cat([one, -one, 0.01 * one])
    assert adapt(cancelling, 4, 0)[0][3].norm() < 0.01 * one.norm()
    assert adapt(torch.zeros(3, 8, 1, 1), 4, 0)[0].abs().max() == 0


def test_biases_of_further_channels_are_the_plain_mean() -> None:
    assert adapt(torch.tensor([1.0, 2.0, 6.0]), 5, 0)[0].tolist() == [1, 2, 6, 3, 3]


@pytest.mark.parametrize(("given", "wanted"), [(1, 4), (4, 1), (4, 2), (2, 6), (4, 4)])
def test_any_number_of_channels_becomes_any_other(given: int, wanted: int) -> None:
    kept = min(given, wanted)
    for source, target in (
        (generator("stylegan2", (given, 16, 16), 1), generator("stylegan2", (wanted, 16, 16), 2)),
        (discriminator((given, 16, 16), 1), discriminator((wanted, 16, 16), 2)),
    ):
        came = transfer(source, target)
        assert bool(came.adapted) == (given != wanted)
        assert not came.fresh
        for name, axis in channel_axes(target).items():
            old = source.state_dict()[name].narrow(axis, 0, kept)
            assert torch.equal(came.state[name].narrow(axis, 0, kept), old)
        target.load_state_dict(came.state)


def test_blocks_of_another_resolution_meet_at_equal_resolution() -> None:
    source, target = discriminator((3, 64, 64), 1), discriminator((4, 32, 32), 2)
    came = transfer(source, target)
    assert torch.equal(came.state["blocks.0.first.weight"], source.state_dict()["blocks.1.first.weight"])
    assert "blocks.0.first.weight" in came.unused
    assert not [name for name in came.fresh if name.startswith("blocks")]
    back = transfer(target, source)
    assert back.fresh["blocks.0.first.weight"] == "not in the source"


def test_g_of_another_size_takes_what_fits_and_lists_the_rest() -> None:
    source, target = generator("stylegan2", (3, 16, 16), 1), generator("stylegan2", (4, 16, 32), 2)
    came = transfer(source, target)
    fresh = target.state_dict()
    assert came.fresh["synthesis.const"] == "8x4x4 there, 8x4x8 here"
    assert all(torch.equal(came.state[name], fresh[name]) for name in came.fresh)
    assert set(came.state) == {*came.transferred, *came.adapted, *came.fresh}
    report = list(came.lines("G"))
    assert f"{len(came.fresh)} fresh" in report[0]
    assert "  fresh G.synthesis.const: 8x4x4 there, 8x4x8 here" in report
    assert all(any(name in line for line in report) for name in [*came.adapted, *came.fresh])


def test_t_of_another_size_keeps_its_own_filters_and_runs() -> None:
    source, target = generator("stylegan3-t", (3, 16, 16), 1), generator("stylegan3-t", (4, 32, 32), 2)
    untouched = generator("stylegan3-t", (4, 32, 32), 2)
    came = transfer(source, target)
    loaded(target, came)
    for name, buffer in untouched.named_buffers():
        if "filter" in name:
            assert torch.equal(dict(target.named_buffers())[name], buffer)
    with torch.no_grad():
        assert target(torch.zeros(1, 16)).shape == (1, 4, 32, 32)
    assert "mapping.layers.0.weight" in came.transferred


def test_classes_the_source_lacks_are_named_and_stay_fresh() -> None:
    source, target = generator("stylegan2", (3, 16, 16), 1), generator("stylegan2", (4, 16, 16), 2, c_dim=3)
    came = transfer(source, target)
    assert came.fresh["mapping.embed.weight"] == "not in the source"
    assert "there" in came.fresh["mapping.layers.0.weight"]


def test_neither_network_is_changed_nor_shared() -> None:
    source, target = generator("stylegan2", (3, 16, 16), 1), generator("stylegan2", (4, 16, 16), 2)
    before = [{name: value.clone() for name, value in net.state_dict().items()} for net in (source, target)]
    came = transfer(source, target)
    for value in came.state.values():
        value.zero_()
    for net, old in zip((source, target), before, strict=True):
        assert all(torch.equal(value, old[name]) for name, value in net.state_dict().items())


def test_another_kind_of_network_is_refused() -> None:
    source, target = generator("stylegan2", (3, 16, 16), 1), discriminator((4, 16, 16), 2)
    with pytest.raises(UserError, match=r"the source is stylegan2, this run a discriminator: give the source's --cfg"):
        transfer(source, target)


def three_channels(name: str) -> tuple[ReferenceNetwork, dict[str, Tensor]]:
    """A network of the reference cut down to its first 3 image channels, and its inputs and outputs."""
    path = REFERENCE / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not among the test data")
    with np.load(path) as data:
        values = {key: torch.from_numpy(data[key]) for key in data if key != "config"}
        config: dict[str, Any] = json.loads(str(data["config"])) | {"img_channels": 3}
    state = {key[6:]: value for key, value in values.items() if key.startswith("state/")}
    for key in [key for key in state if "torgb." in key or "L14_32_4." in key]:
        value = state.pop(key)
        own = key.split(".")[-2] != "affine" and value.ndim > 0
        state[key.replace("L14_32_4", "L14_32_3")] = value[:3] if own else value
    if "b32.fromrgb.weight" in state:
        state["b32.fromrgb.weight"] = state["b32.fromrgb.weight"][:, :3]
    return ReferenceNetwork("Network", (), config, state), {key[3:]: v for key, v in values.items() if key[:3] == "io/"}


@pytest.mark.parametrize(("name", "kind"), [("stylegan2-32", "stylegan2"), ("stylegan3-t-32", "stylegan3-t")])
def test_a_snapshot_of_the_reference_goes_into_four_channels(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    (g, io), (d, _) = three_channels(name), three_channels("discriminator-32")
    monkeypatch.setattr("patches.runs.begin.read_snapshot", lambda path: {"D": d, "G_ema": g})
    layers, c_dim = g.config["mapping_kwargs"]["num_layers"], g.config["c_dim"]
    spec = GeneratorSpec(kind, (4, 32, 32), 64, c_dim, 48, layers, channel_base=512, channel_max=24)
    rng = torch.Generator().manual_seed(0)
    targets = {
        "G": build_generator(spec, rng),
        "D": build_discriminator(DiscriminatorSpec((4, 32, 32), channel_base=512, channel_max=24), rng),
    }
    sources = read_reference(Path("x.pkl"))
    came = {name: transfer(sources[name], target) for name, target in targets.items()}
    assert not any([*came[name].fresh, *came[name].unused] for name in targets)
    with torch.no_grad():
        pictures = loaded(targets["G"], came["G"])(io["z"], io["c"])
    assert (pictures[:, :3] - io["image"][:, :3]).abs().max() <= EQUALITY * io["image"].abs().max()
    assert list(came["D"].adapted) == ["entry.weight"]
