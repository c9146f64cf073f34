# SPDX-License-Identifier: Apache-2.0
"""Which pictures form a group, and that what a group draws depends on nothing but seed, phase, place and purpose."""

import pytest
import torch

from stylegan3.networks import build_generator
from stylegan3.training.draws import Draws, make_pictures, members, rounds
from stylegan3.training.rng import generator
from stylegan3.training.setup import Hyperparameters
from tests.stylegan3.training.support import Louder, Pictures, setup

CPU = torch.device("cpu")


def hyper(batch: int = 16, batch_gpu: int | None = None, **numbers) -> Hyperparameters:
    return Hyperparameters(batch=batch, gamma=1, batch_gpu=batch_gpu, **numbers)


def test_groups_are_strided_over_the_batch():
    """Of B items, group j holds j + i B/4 (DESIGN), as the reference's discriminator has them."""
    assert members([0], hyper(16)).tolist() == [0, 4, 8, 12]
    assert members([3], hyper(16)).tolist() == [3, 7, 11, 15]
    assert members([0], hyper(8)).tolist() == [0, 2, 4, 6]
    assert members([0], hyper(4)).tolist() == [0, 1, 2, 3]
    assert members([0], hyper(2)).tolist() == [0, 1]


@pytest.mark.parametrize(("batch", "batch_gpu"), [(16, 4), (16, 8), (16, 16), (8, 4), (24, 8)])
def test_a_round_holds_whole_groups_as_the_discriminator_cuts_them(batch, batch_gpu):
    numbers = hyper(batch, batch_gpu)
    seen = []
    for groups in rounds(numbers):
        places = members(groups, numbers)
        count = len(places) // 4
        for j, group in enumerate(groups):
            assert places[j::count].tolist() == members([group], numbers).tolist()
        seen += places.tolist()
    assert sorted(seen) == list(range(batch))
    assert len(rounds(numbers)) == batch // batch_gpu


@pytest.mark.parametrize("purpose", ["latents", "noise", "crossover", "labels", "augmentation"])
def test_a_group_draws_the_same_in_any_round(purpose):
    def draw(groups: range) -> torch.Tensor:
        draws = Draws(hyper(16, style_mixing=0.5), "G main", 320, groups, CPU, p=0.5)
        data = Pictures(c_dim=3)
        return {
            "latents": lambda: draws.latents("z", 6),
            "noise": lambda: draws.noise("noise", 6),
            "crossover": lambda: draws.crossover(9),
            "labels": lambda: draws.labels(data),
            "augmentation": lambda: draws.augmentation(Louder(), "augment")["factor"],
        }[purpose]()

    together = draw(range(4))
    for group in range(4):
        assert torch.equal(draw(range(group, group + 1)), together[group::4])


def test_draws_differ_between_groups_phases_iterations_purposes_and_seeds():
    def z(seed: int = 0, phase: str = "G main", images: int = 0, group: int = 0, purpose: str = "z") -> torch.Tensor:
        return Draws(hyper(16, seed=seed), phase, images, range(group, group + 1), CPU).latents(purpose, 8)

    others = [z(seed=1), z(phase="D main"), z(images=16), z(group=1), z(purpose="z mixed in")]
    assert torch.equal(z(), z())
    assert not any(torch.equal(z(), other) for other in others)


def test_styles_are_mixed_as_often_as_asked_and_from_layer_1_on():
    count, layers = 2000, 10
    numbers = Hyperparameters(batch=count, gamma=1, group=1, style_mixing=0.9)
    crossover = Draws(numbers, "G main", 0, range(count), CPU).crossover(layers).flatten()
    mixed = crossover < layers
    assert abs(float(mixed.float().mean()) - 0.9) < 0.03  # 4 standard deviations
    assert set(crossover[mixed].tolist()) == set(range(1, layers))


def test_mixed_styles_come_from_a_second_latent_from_the_crossover_on():
    arrangement = setup("stylegan2", style_mixing=1.0)
    network = build_generator(arrangement.generator, generator("test"))
    draws = Draws(arrangement.hyper, "G main", 0, range(2), CPU)
    _, ws, labels = make_pictures(network, draws, arrangement.dataset)
    first, second = (network.mapping(draws.latents(purpose, 16)) for purpose in ("z", "z mixed in"))
    layer = torch.arange(network.num_ws)[None, :, None]
    assert torch.equal(ws, torch.where(layer < draws.crossover(network.num_ws), first, second))
    assert labels is None


def test_labels_of_fakes_occur_as_in_the_data():
    data = Pictures(items=10, c_dim=5)
    numbers = Hyperparameters(batch=2000, gamma=1, group=4)
    share = Draws(numbers, "G main", 0, range(500), CPU).labels(data).mean(0)
    assert torch.allclose(share, torch.full((5,), 0.2), atol=0.04)
    assert Draws(numbers, "G main", 0, range(500), CPU).labels(Pictures()) is None


def test_a_generator_is_its_key_alone():
    a, b, c = (torch.rand(3, generator=generator(*key)) for key in ((1, "x", 2), (1, "x", 2), (1, "x2")))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_an_augmentations_parameters_stay_on_the_cpu_whatever_the_device():
    """They are looked at item by item: on a device that would wait for it, or fail where devices mix."""
    draws = Draws(hyper(8), "D main", 0, range(2), torch.device("meta"), p=1.0)
    values = draws.augmentation(Louder(), "augment reals")
    assert values
    assert all(value.device == CPU and len(value) == 8 for value in values.values())
