# SPDX-License-Identifier: Apache-2.0
"""A StyleGAN3 input that w may not turn, or not shift along the rows."""

from typing import Any

import pytest
import torch
from torch import Tensor

from stylegan3.errors import NetworkError
from stylegan3.networks import Generator, GeneratorSpec, build_generator
from stylegan3.networks.alias_free import AliasFreeSynthesis, FourierInput
from stylegan3.networks.specs import INPUT_LOCKS

W = torch.zeros(1, 8)
MOVES = {"turn": (0.6, 0.8, 0.0, 0.0), "columns": (1.0, 0.0, 0.25, 0.0), "rows": (1.0, 0.0, 0.0, 0.25)}
ALLOWED = {
    "none": {"turn", "columns", "rows"},
    "rotation": {"columns", "rows"},
    "frequency": {"turn", "columns"},
    "both": {"columns"},
}


def locked(lock: str, **settings: Any) -> Generator:
    small: dict[str, Any] = {"z_dim": 8, "w_dim": 8, "channel_base": 64, "channel_max": 8, "num_layers": 4}
    spec = GeneratorSpec("stylegan3-t", (2, 16, 32), **{**small, "num_critical": 1, "input_lock": lock, **settings})
    return build_generator(spec, torch.Generator().manual_seed(0))


def input_of(network: Generator) -> FourierInput:
    assert isinstance(network.synthesis, AliasFreeSynthesis)
    return network.synthesis.input


def pictures(network: Generator, motion: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """The input's waves and the whole picture where every w asks for a motion."""
    waves = input_of(network)
    waves.affine.bias.copy_(torch.tensor(motion))
    return waves(W), network.synthesis(W[:, None].expand(-1, network.num_ws, -1))


@pytest.mark.parametrize("lock", INPUT_LOCKS)
@torch.no_grad()
def test_what_is_locked_does_not_move_and_the_rest_does(lock: str) -> None:
    network = locked(lock)
    still = pictures(network, (1.0, 0.0, 0.0, 0.0))
    for name, motion in MOVES.items():
        for before, after in zip(still, pictures(network, motion), strict=True):
            moved = float((after - before).abs().max() / before.abs().max())
            assert moved > 0.05 if name in ALLOWED[lock] else moved == 0, name


@torch.no_grad()
def test_locked_both_ways_w_shifts_columns_and_leaves_each_row_what_it_was() -> None:
    waves = input_of(locked("both"))
    waves.affine.bias.copy_(torch.tensor((-0.3, 2.0, 0.0, 7.0)))
    still = waves(W)
    waves.affine.bias[2] = 4 / waves.rate
    assert torch.allclose(waves(W)[..., 4:], still[..., :-4], atol=1e-5)  # later by four columns, row by row


@torch.no_grad()
def test_the_users_own_transform_still_moves_a_locked_input() -> None:
    waves = input_of(locked("both"))
    still = waves(W)
    waves.transform[1, 2] = 2 / waves.rate
    assert torch.allclose(waves(W)[:, :, :-2], still[:, :, 2:], atol=1e-5)


@pytest.mark.parametrize("lock", INPUT_LOCKS)
@torch.no_grad()
def test_an_untrained_network_is_the_same_locked_or_not(lock: str) -> None:
    free, network = locked("none"), locked(lock)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(network(z), free(z))
    network.load_state_dict(free.state_dict())  # the same tensors: a network can be locked when it is fine-tuned


def test_only_what_is_free_learns() -> None:
    for lock, numbers in INPUT_LOCKS.items():
        network = locked(lock)
        with torch.no_grad():  # away from the angle 0, where the cosine has no slope
            input_of(network).affine.bias.copy_(torch.tensor([0.6, 0.7, 0.1, 0.1]))
        network(torch.randn(2, 8, generator=torch.Generator().manual_seed(1))).square().sum().backward()
        gradient = input_of(network).affine.bias.grad
        assert gradient is not None
        assert [k for k in range(4) if gradient[k] == 0] == list(numbers)


def test_locks_are_saved_and_a_spec_without_them_has_none() -> None:
    spec = locked("both").spec
    assert GeneratorSpec.from_dict(spec.to_dict()) == spec
    old = {key: value for key, value in spec.to_dict().items() if key != "input_lock"}
    assert GeneratorSpec.from_dict(old).input_lock == "none"


def test_a_lock_that_cannot_be_is_refused() -> None:
    with pytest.raises(NetworkError, match="'time': allowed are none, rotation, frequency, both"):
        locked("time")
    with pytest.raises(NetworkError, match="stylegan2 begins with a constant"):
        GeneratorSpec("stylegan2", (2, 16, 16), input_lock="both")
