# SPDX-License-Identifier: Apache-2.0
"""ADA, the running mean, blur, means over a tick: small formulas, held by hand."""

import pytest
import torch
from torch import nn

from stylegan3.training.ada import AdaController, signs_of
from stylegan3.training.blur import blur, blur_sigma
from stylegan3.training.ema import ema_beta, update_ema
from stylegan3.training.ranks import Alone
from stylegan3.training.setup import Hyperparameters
from stylegan3.training.stats import Stats


def ada(p: float = 0.0, kimg: float = 0.5) -> AdaController:
    return AdaController(p, target=0.6, interval=4, batch=16, kimg=kimg)


def run(controller: AdaController, logits: float, iterations: int) -> None:
    for iteration in range(iterations):
        controller.observe(signs_of(torch.full((16, 1), logits)))
        controller.update(iteration)


def test_p_rises_by_batch_times_interval_over_kimg_and_falls_by_the_same():
    controller, step = ada(), 16 * 4 / 500
    told = []
    for iteration in range(17):
        controller.observe(signs_of(torch.full((16, 1), 1.0 if iteration < 8 else -1.0)))
        controller.update(iteration)
        told.append(controller.p)
    expected = [0] * 4 + [step] * 4 + [2 * step] * 4 + [step] * 4 + [0]  # an iteration after an interval's end
    assert told == pytest.approx(expected)


def test_p_moves_only_every_fourth_iteration_by_all_it_has_seen_since():
    controller = ada()
    for iteration, logits in enumerate((5.0, 5.0, 5.0)):
        controller.observe(signs_of(torch.full((16, 1), logits)))
        assert controller.update(iteration) is None
    assert controller.p == 0
    controller.observe(signs_of(torch.full((16, 1), -5.0)))
    assert controller.update(3) is None
    assert controller.state()["sums"].tolist() == [0, 0]
    assert controller.state()["ended"].tolist() == [32, 64]
    assert controller.update(4) == 0.5  # the mean of the signs: below 0.6
    assert controller.p == 0


def test_p_stays_between_0_and_1():
    controller = ada(p=0.99)
    run(controller, 1.0, 9)
    assert controller.p == 1
    controller = ada(p=0.01)
    run(controller, -1.0, 9)
    assert controller.p == 0


def test_p_rests_on_the_target():
    controller = AdaController(0.3, target=0.5, interval=1, batch=4, kimg=0.5)
    controller.observe(signs_of(torch.tensor([[1.0], [1.0], [1.0], [-1.0]])))
    controller.update(0)
    assert controller.update(1) == 0.5
    assert controller.p == 0.3


def test_half_of_the_mean_is_left_after_its_half_life():
    assert ema_beta(16, 10**9, ema_kimg=5, rampup=0.05) ** (5000 / 16) == pytest.approx(0.5)


def test_the_half_life_ramps_up_with_the_pictures_shown():
    assert ema_beta(16, 1000, ema_kimg=5, rampup=0.05) ** (50 / 16) == pytest.approx(0.5)
    assert ema_beta(16, 0, ema_kimg=5, rampup=0.05) == 0  # the first iteration: the mean is the network
    assert ema_beta(16, 1000, ema_kimg=5, rampup=None) ** (5000 / 16) == pytest.approx(0.5)


def test_parameters_are_averaged_and_buffers_copied():
    mean, network = (nn.BatchNorm1d(2) for _ in range(2))
    nn.init.constant_(network.weight, 3.0)
    network.running_mean.fill_(7.0)
    network.num_batches_tracked.fill_(5)
    update_ema(mean, network, 0.75)
    assert torch.allclose(mean.weight, torch.tensor(1.5))
    assert mean.running_mean.tolist() == [7.0, 7.0]
    assert int(mean.num_batches_tracked) == 5


BLURRED = Hyperparameters(batch=16, gamma=1, blur_sigma=10, blur_kimg=100)


def test_the_blur_fades_linearly_and_ends():
    assert [blur_sigma(BLURRED, kimg * 1000) for kimg in (0, 25, 50, 100, 200)] == [10, 7.5, 5, 0, 0]
    assert blur_sigma(Hyperparameters(batch=16, gamma=1), 0) == 0


def test_the_blur_is_two_to_the_minus_squares():
    sigma = 10 * (1 - 0.85)
    point = torch.zeros(1, 2, 31, 21)
    point[0, 1, 15, 10] = 1
    seen = blur(point, BLURRED, 85_000)
    profile = seen[0, 1, 15, :] / seen[0, 1, 15, 10]
    x = torch.arange(21.0) - 10
    inside = x.abs() <= 4  # three sigma
    assert torch.allclose(profile[inside], torch.exp2(-((x / sigma) ** 2))[inside], atol=1e-6)
    assert float(seen.sum()) == pytest.approx(1)
    assert float(seen[0, 0].abs().max()) == 0


def test_a_blur_of_less_than_a_third_of_a_pixel_is_none():
    pictures = torch.randn(1, 1, 8, 8)
    assert blur(pictures, BLURRED, 97_000) is pictures


def test_means_over_a_tick_and_their_state():
    stats = Stats()
    stats.add("a", torch.tensor([1.0, 2.0]))
    stats.add("a", torch.tensor([[6.0]]))
    stats.add("b", torch.ones(2, 2))
    a = stats.read()["a"]
    assert (a["num"], a["mean"]) == (3, 3)
    assert a["std"] == pytest.approx(torch.tensor([1.0, 2.0, 6.0]).std(correction=0).item())
    again = Stats()
    again.load_state(stats.state(), Alone())
    assert again.read() == stats.read()
    stats.clear()
    assert stats.read() == {}
